import { button, h, setAttribute, setText, show } from "./dom.js";
import { elapsed } from "./generation.js";
import { t } from "./i18n.js";
import { errorText } from "./texts.js";
import "./late-style.js";

/** @type {MountProgress} */
export function mountProgress(viewer, app, choose) {
  const panels = [createUploadPanel(app, choose), createProgressPanel(app)];
  viewer.append(...panels.map((panel) => panel.element));
  return (...now) => panels.forEach((panel) => panel.update(...now));
}

/** @type {CreateUploadPanel} */
function createUploadPanel(app, choose) {
  const act = (/** @type {"retryUpload" | "cancelUpload"} */ what) => {
    const workspace = app.selected();
    if (workspace) app.act((actions) => actions[what](app, workspace.key));
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

/** @type {CreateProgressPanel} */
function createProgressPanel(app) {
  const time = h("span", { class: "progress-time", role: "timer", label: "video.elapsed", testid: "elapsed" });
  const title = h("p", { class: "panel-title" });
  const cancel = button({ class: "button small", t: "video.cancel", testid: "cancel" }, () => app.act(({ cancel }) => cancel(app)));
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

/** @type {Clock} */
function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
