import { button, h, icon } from "./dom.js";
import "./late-style.js";

const spoken = h("div", { class: "unseen", role: "status", testid: "announcer" });
/** @type {HTMLElement | undefined} */
let region;
let timer = 0;
document.body.append(spoken);

/** @type {Announce} */
export function announce(text) {
  clearTimeout(timer);
  spoken.textContent = "";
  timer = setTimeout(() => (spoken.textContent = text), 60);
}

/** @type {ShowToast} */
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
  if (!region) document.body.append((region = h("section", { class: "toasts", label: "toasts" })));
  region.append(element);
  if (ms > 0) expire(element, ms, !countdown);
  return close;
}

/** @type {CountdownBar} */
function countdownBar(ms) {
  const bar = h("span", { class: "toast-time", "aria-hidden": "true" });
  bar.style.animationDuration = `${ms}ms`;
  return bar;
}

/** @type {Expire} */
function expire(element, ms, patient) {
  setTimeout(() => {
    if (patient && element.matches(":hover, :focus-within")) expire(element, 2000, patient);
    else element.remove();
  }, ms);
}
