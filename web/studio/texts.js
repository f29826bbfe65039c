import { MAX_IMAGE_BYTES, MotionboardError } from "../motionboard.js";
import { language, maybe, t } from "./i18n.js";

/** Here the page knows better than the message. */
const better = new Set(["NETWORK", "TIMEOUT", "GATEWAY_ERROR", "ABORTED", "FILE_TOO_LARGE", "UNSUPPORTED_FILE_TYPE", "RATE_LIMITED"]);

export const MEGABYTES = MAX_IMAGE_BYTES / 1024 / 1024;

/** @type {ErrorText} */
export function errorText(error) {
  if (!(error instanceof MotionboardError)) return t("error.UNKNOWN");
  if (error.details["kept"] === false) return t("error.NOT_KEPT");
  if (language() === "zh" && !better.has(error.code) && error.message) return error.message;
  return (maybe(`error.${error.code}`) ?? t("error.UNKNOWN"))
    .replace("{megabytes}", String(MEGABYTES))
    .replace("{seconds}", String(Math.ceil(error.retryAfter) || 10));
}

/** @type {TitleOf} */
export const titleOf = ({ form_data }) => form_data.motion_prompt.trim().slice(0, 80) || t("card.blank");

/** @type {ChoiceLabel} */
export const choiceLabel = (value) => maybe(`choice.${value}`) ?? value;

/** @type {ChoiceOf} */
export function choiceOf(text, choices) {
  const plain = text.trim().toLowerCase();
  return choices.find((choice) => choice === plain || choiceLabel(choice).toLowerCase() === plain) ?? text;
}

/** @type {Moment} */
export function moment(date) {
  const at = new Date(date);
  if (Number.isNaN(at.getTime())) return "";
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(document.documentElement.lang, today ? { hour: "2-digit", minute: "2-digit", hour12: false } : { month: "short", day: "numeric" });
}

/** @type {WithMessages} */
const withMessages = (run) => void import("./messages.js").then(run, () => undefined);
/** @type {Announce} */
export const announce = (text) => withMessages((messages) => messages.announce(text));
/** @type {ShowToastLater} */
export const showToast = (toast) => withMessages((messages) => messages.showToast(toast));
