import { MAX_IMAGE_BYTES } from "../motionboard.js";
import { button, h, icon, redraw, setAttribute, setText, show } from "./dom.js";
import { elapsed } from "./actions.js";
import { t } from "./i18n.js";
import { clock, errorText } from "./messages.js";

/** What the backend gives as the reason where a person stopped it. All its reasons are Chinese, without codes by which they could be said in English. */
const CANCELLED = "已取消";

/** @type {{ [mode in Mode]?: "empty.none" | "empty.blank" | "empty.unloadable" | "empty.unreachable" }} */
const emptyWords = { none: "empty.none", blank: "empty.blank", unloadable: "empty.unloadable", unreachable: "empty.unreachable" };

/** Nothing there yet: a place to drop a picture on; without any workspace, the invitation to make one. @type {CreateEmptyPanel} */
export function createEmptyPanel(app, choose, create) {
  const title = h("p", { class: "panel-title" });
  const text = h("p", { class: "panel-text" });
  const pick = button({ class: "button", testid: "choose" }, choose, icon("upload"), h("span", { t: "picture.choose" }));
  const add = button({ class: "button primary" }, create, icon("plus"), h("span", { t: "board.first" }));
  const retry = button({ class: "button primary", t: "retry.now" }, () => app.board.retry());
  const emblem = icon("image");
  const element = h("div", { class: "panel empty-panel" }, h("span", { class: "emblem" }, emblem), title, text, h("div", { class: "panel-actions" }, add, pick, retry));
  return {
    element,
    update(_workspace, mode) {
      const word = emptyWords[mode];
      show(element, word !== undefined);
      if (!word) return;
      setText(title, t(word));
      setText(text, t(`${word}.more`, { megabytes: MAX_IMAGE_BYTES / 1024 / 1024 }));
      redraw(emblem, mode === "unreachable" ? "cloud" : "image");
      show(add, mode === "none");
      show(pick, mode !== "unreachable");
      show(retry, mode === "unreachable");
      pick.classList.toggle("primary", mode !== "none");
    },
  };
}

/** A picture on its way, or one that did not get there. @type {(app: App, choose: () => void) => Panel} */
export function createUploadPanel(app, choose) {
  /** @param {"retryUpload" | "cancelUpload"} what */
  const act = async (what) => {
    const workspace = app.selected();
    const uploading = await import("./uploading.js");
    if (workspace) uploading[what](app, workspace.key);
  };
  const text = h("p", { class: "panel-line" });
  const percent = h("span", { class: "percent" });
  const bar = h("div", { class: "meter", role: "progressbar", label: "upload.label", "aria-valuemin": 0, "aria-valuemax": 100 }, h("span"));
  const cancel = button({ class: "button small", testid: "upload-cancel" }, () => act("cancelUpload"));
  const retry = button({ class: "button small primary", t: "retry", testid: "upload-retry" }, () => act("retryUpload"));
  const other = button({ class: "button small", t: "picture.other" }, choose);
  const element = h("div", { class: "panel dock", testid: "upload" }, h("div", { class: "panel-row" }, text, percent), bar, h("div", { class: "panel-actions" }, retry, other, cancel));
  return {
    element,
    update(_workspace, mode, upload) {
      show(element, mode === "upload");
      if (mode !== "upload" || !upload) return;
      const failed = upload.phase === "failed";
      const done = Math.round(upload.fraction * 100);
      element.classList.toggle("bad", failed);
      setAttribute(text, "role", failed ? "alert" : null);
      setText(text, failed ? errorText(upload.error) : t(done < 100 ? "upload.sending" : "upload.finishing"));
      setText(percent, failed ? "" : `${done}%`);
      setAttribute(bar, "aria-valuenow", done);
      bar.style.setProperty("--done", String(upload.fraction));
      show(bar, !failed);
      show(retry, failed);
      show(other, failed);
      setText(cancel, t(failed ? "dismiss" : "cancel"));
    },
  };
}

/** A video that is being made. @type {(generation: Generation) => Panel} */
export function createProgressPanel(generation) {
  const time = h("span", { class: "progress-time", role: "timer", label: "video.elapsed", testid: "elapsed" });
  const title = h("p", { class: "panel-title" });
  const cancel = button({ class: "button small", t: "video.cancel", testid: "cancel" }, generation.cancel);
  const text = h("p", { class: "panel-text", t: "video.leave" });
  const element = h("div", { class: "panel progress-panel", testid: "generating" }, h("span", { class: "spinner" }), time, title, text, h("div", { class: "panel-actions" }, cancel));
  let ticking = 0;
  return {
    element,
    update(workspace, mode) {
      clearInterval(ticking);
      show(element, mode === "progress");
      if (mode !== "progress" || !workspace) return;
      const running = workspace.video.status === "generating";
      const tick = () => setText(time, clock(running ? elapsed(workspace._id) : 0));
      tick();
      ticking = setInterval(tick, 500);
      setText(title, t(running ? "video.generating" : "video.requesting"));
      setAttribute(cancel, "aria-disabled", running ? null : "true");
    },
  };
}

/** Why there is no video: it failed, or it can't be played. @type {(generation: Generation) => Panel} */
export function createFailurePanel(generation) {
  const title = h("p", { class: "panel-line strong" });
  const text = h("p", { class: "panel-text" });
  const retry = button({ class: "button small", t: "video.again", testid: "video-retry" }, generation.start);
  const element = h("div", { class: "panel dock bad", testid: "failure" }, h("div", { class: "panel-row" }, icon("alert"), title), text, h("div", { class: "panel-actions" }, retry));
  return {
    element,
    update(workspace, mode, _upload, playerBroken) {
      const unplayable = mode === "video" && playerBroken;
      show(element, mode === "failed" || unplayable);
      const reason = unplayable ? null : workspace?.video.error;
      const cancelled = reason === CANCELLED;
      element.classList.toggle("bad", !cancelled);
      setText(title, t(unplayable ? "video.unplayable" : cancelled ? "video.cancelled" : "video.failed"));
      setText(text, reason || t(unplayable ? "video.unplayable.more" : "video.failed.unknown"));
      setAttribute(text, "lang", reason ? "zh-CN" : null);
      show(text, !cancelled);
      show(retry, !unplayable);
    },
  };
}
