import { MAX_IMAGE_BYTES, MotionboardError } from "../motionboard.js";
import { button, h, icon } from "./dom.js";
import { language, maybe, t } from "./i18n.js";

/** Codes about which the page says more than the message: the client's own, and those where it names a limit or a time. */
const better = new Set(["NETWORK", "TIMEOUT", "GATEWAY_ERROR", "ABORTED", "FILE_TOO_LARGE", "UNSUPPORTED_FILE_TYPE", "RATE_LIMITED"]);

/** What to tell a person about an error, and what to do about it. The server's messages are Chinese; in English the page has its own. @param {unknown} error */
export function errorText(error) {
  if (!(error instanceof MotionboardError)) return t("error.UNKNOWN");
  if (language() === "zh" && !better.has(error.code) && error.message) return error.message;
  return (maybe(`error.${error.code}`) ?? t("error.UNKNOWN"))
    .replace("{megabytes}", String(MAX_IMAGE_BYTES / 1024 / 1024))
    .replace("{seconds}", String(Math.ceil(error.retryAfter) || 10));
}

/** @param {unknown} error */
export function isAborted(error) {
  return error instanceof MotionboardError && error.code === "ABORTED";
}

/** What a workspace is called: the beginning of its prompt. @param {Workspace} workspace */
export function titleOf(workspace) {
  return workspace.form_data.motion_prompt.trim().slice(0, 80) || t("card.blank");
}

/** What a stored choice is called in the active language; other texts are called what they are. @param {string} value */
export function choiceLabel(value) {
  return maybe(`choice.${value}`) ?? value;
}

/** The stored choice of this name, or the text itself. @type {ChoiceOf} */
export function choiceOf(text, choices) {
  const plain = text.trim().toLowerCase();
  return choices.find((choice) => choice === plain || choiceLabel(choice).toLowerCase() === plain) ?? text;
}

/** A moment as people of the language write it. @param {string} date */
export function moment(date) {
  const at = new Date(date);
  if (Number.isNaN(at.getTime())) return "";
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(document.documentElement.lang, today ? { hour: "2-digit", minute: "2-digit", hour12: false } : { month: "short", day: "numeric" });
}

/** Seconds as m:ss. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const spoken = h("div", { class: "unseen", role: "status", testid: "announcer" });
/** Where toasts appear; made with the first of them, when the dictionary is there. @type {HTMLElement | undefined} */
let region;
let timer = 0;

/** Tells users of screen readers something that others see. What follows quickly replaces what was not read yet. @param {string} text */
export function announce(text) {
  if (!spoken.isConnected) document.body.append(spoken);
  clearTimeout(timer);
  spoken.textContent = "";
  timer = setTimeout(() => (spoken.textContent = text), 60);
}

/** Shows a message at the edge of the page. Returns what closes it. @param {Toast} toast */
export function showToast({ text, detail, bad = false, ms = 6000, countdown = false, action }) {
  const lines = h("div", { class: "toast-text" }, h("p", {}, text));
  if (detail) lines.append(h("p", { class: "toast-detail" }, detail));
  const element = h("div", { class: bad ? "toast bad" : "toast", testid: "toast", role: bad ? "alert" : "status" }, lines);
  const close = () => element.remove();
  const act = () => {
    close();
    action?.run();
  };
  if (action) element.append(button({ class: "button small" }, act, action.label));
  element.append(button({ class: "icon-button", label: "close" }, close, icon("close")));
  if (countdown) element.append(countdownBar(ms));
  region ??= h("section", { class: "toasts", label: "toasts" });
  if (!region.isConnected) document.body.append(region);
  region.append(element);
  if (ms > 0) expire(element, ms, !countdown);
  return close;
}

/** @param {number} ms */
function countdownBar(ms) {
  const bar = h("span", { class: "toast-time", "aria-hidden": "true" });
  bar.style.animationDuration = `${ms}ms`;
  return bar;
}

/** Closes after a time; `patient`: not while somebody reads or has the focus in it. @type {Expire} */
function expire(element, ms, patient) {
  setTimeout(() => {
    if (patient && element.matches(":hover, :focus-within")) expire(element, 2000, patient);
    else element.remove();
  }, ms);
}
