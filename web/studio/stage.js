import { arrange, button, changes, h, icon, later, redraw, setAttribute, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { createBackdrop, createPicker, createPicture } from "./pictures.js";
import { MEGABYTES, moment, titleOf } from "./texts.js";

/** @type {MountStage} */
export function mountStage(root, app, onBroken) {
  const picker = createPicker(app);
  const backdrop = createBackdrop();
  const picture = createPicture({ lazy: false, onBroken, onShown: backdrop.show });
  const player = createPlayer(() => app.board.refresh(), app.changed);
  const empty = createEmptyPanel(app, picker.open);
  const failure = createFailurePanel(app);
  const viewer = h("div", { class: "viewer" }, backdrop.element, picture.element, player.element, empty.element, failure.element);
  const progress = later(isProgressing, async () => (await import("./progress.js")).mountProgress(viewer, app, picker.open));
  const bar = createBar(app, picker.open);
  const looking = createLooking();
  const takes = createTakes((take) => {
    looking.at(app.selected(), take);
    app.changed();
  });
  root.append(bar.element, viewer, takes.element, picker.input);
  const differs = changes();
  /** @type {{ key: string | undefined, take: string | null }} */
  let last = { key: undefined, take: null };

  return (state, workspace) => {
    const upload = workspace && app.uploads.get(workspace.key);
    const take = workspace ? looking.now(workspace) : "picture";
    const absence = state.loaded ? "none" : state.error ? "unreachable" : "waiting";
    if (!differs(workspace, upload, take, absence, language(), state.workspaces, picture.broken(), player.broken())) return;
    const view = workspace ? viewOf(workspace, upload, take, picture.broken()) : { mode: /** @type {Mode} */ (absence), pictureUrl: null, videoUrl: null, take };
    const another = workspace?.key !== last.key;
    setAttribute(viewer, "data-view", view.mode);
    show(picture.element, view.mode !== "video" && view.pictureUrl !== null);
    picture.show(view.pictureUrl, another);
    picture.describe(workspace ? t("picture.alt", { title: titleOf(workspace) }) : "");
    show(player.element, view.mode === "video");
    player.show(view.videoUrl, workspace?.image_url ?? null, !another && take === last.take);
    last = { key: workspace?.key, take };
    empty.update(view.mode);
    failure.update(workspace, view.mode, player.broken());
    progress(workspace, view.mode, upload);
    bar.update(state, workspace, view, upload);
    takes.update(workspace, take);
  };
}

/** @type {IsProgressing} */
const isProgressing = (_workspace, mode) => mode === "upload" || mode === "progress";

/** @type {ViewOf} */
function viewOf(workspace, upload, take, pictureBroken) {
  const { image_url, requesting, video } = workspace;
  const pictureUrl = upload?.preview ?? image_url;
  const uploading = upload !== undefined && upload.phase !== "arriving";
  const videoUrl = uploading ? null : (takesOf(workspace).find(({ id }) => id === take)?.url ?? null);
  /** @returns {Mode} */
  const mode = () => {
    if (uploading) return "upload";
    if (videoUrl) return "video";
    if (requesting || video.status === "generating") return "progress";
    if (pictureUrl === null) return "blank";
    if (video.status === "failed") return "failed";
    return pictureBroken ? "unloadable" : "picture";
  };
  return { mode: mode(), pictureUrl, videoUrl, take };
}

/** @type {CreateLooking} */
function createLooking() {
  /** @type {Map<string, { take: string, video: string }>} */
  const chosen = new Map();
  const videoOf = (/** @type {Workspace} */ { video }) => `${video.task_id} ${video.status}`;
  return {
    at(workspace, take) {
      if (workspace) chosen.set(workspace.key, { take, video: videoOf(workspace) });
    },
    now(workspace) {
      const takes = takesOf(workspace);
      const choice = chosen.get(workspace.key);
      if (choice?.video === videoOf(workspace) && takes.some(({ id }) => id === choice.take)) return choice.take;
      return takes.find(({ newest }) => newest)?.id ?? "picture";
    },
  };
}

/** @type {{ [mode in Mode]?: "empty.none" | "empty.blank" | "empty.unloadable" | "empty.unreachable" }} */
const emptyWords = { none: "empty.none", blank: "empty.blank", unloadable: "empty.unloadable", unreachable: "empty.unreachable" };

/** @type {CreateEmptyPanel} */
function createEmptyPanel(app, choose) {
  const title = h("p", { class: "panel-title" });
  const text = h("p", { class: "panel-text" });
  const pick = button({ class: "button", testid: "choose" }, choose, icon("upload"), h("span", { t: "picture.choose" }));
  const add = button({ class: "button primary" }, app.create, icon("plus"), h("span", { t: "board.first" }));
  const retry = button({ class: "button primary", t: "retry.now" }, () => app.board.retry());
  const emblem = icon("image");
  const element = h("div", { class: "panel empty-panel" }, h("span", { class: "emblem" }, emblem), title, text, h("div", { class: "panel-actions" }, add, pick, retry));
  return {
    element,
    update(mode) {
      const word = emptyWords[mode];
      show(element, word !== undefined);
      if (!word) return;
      setText(title, t(word));
      setText(text, t(`${word}.more`, { megabytes: MEGABYTES }));
      redraw(emblem, mode === "unreachable" ? "cloud" : "image");
      show(add, mode === "none");
      show(pick, mode !== "unreachable");
      show(retry, mode === "unreachable");
      pick.classList.toggle("primary", mode !== "none");
    },
  };
}

/** Reasons are Chinese, and have no codes: of a stopped video it is this. */
const CANCELLED = "已取消";

/** @type {CreateFailurePanel} */
function createFailurePanel(app) {
  const title = h("p", { class: "panel-line strong" });
  const text = h("p", { class: "panel-text" });
  const retry = button({ class: "button small", t: "video.again", testid: "video-retry" }, () => app.act(({ generate }) => generate(app)));
  const element = h("div", { class: "panel dock bad", testid: "failure" }, h("div", { class: "panel-row" }, icon("alert"), title), text, h("div", { class: "panel-actions" }, retry));
  return {
    element,
    update(workspace, mode, playerBroken) {
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

/** @type {CreateBar} */
function createBar(app, choose) {
  const number = h("span", { class: "stage-number", "aria-hidden": "true" });
  const title = h("h2", { class: "stage-title", lang: "" });
  const download = h("a", { class: "tool", target: "_blank", rel: "noopener", download: true, tip: "video.download" }, icon("download"), h("span", { t: "video.download" }));
  const replace = button({ class: "tool", tip: "picture.replace" }, choose, icon("swap"), h("span", { t: "picture.replace" }));
  const openMenu = () => {
    const workspace = app.selected();
    if (workspace) app.act((actions) => actions.openMenu(app, workspace.key, more));
  };
  const more = button({ class: "tool icon-only", label: "stage.more", "aria-haspopup": "menu", "aria-expanded": "false" }, openMenu, icon("more"));
  const element = h("div", { class: "stage-bar" }, number, title, h("div", { class: "stage-tools" }, download, replace, more));
  return {
    element,
    update({ workspaces }, workspace, { mode, videoUrl }, upload) {
      const playing = mode === "video";
      setAttribute(element, "data-blank", workspace ? null : "true");
      setText(number, workspace ? String(workspaces.indexOf(workspace) + 1).padStart(2, "0") : "");
      setText(title, workspace ? titleOf(workspace) : t("stage.label"));
      show(more, workspace !== undefined);
      show(replace, Boolean(workspace?.image_url) && !upload);
      show(download, playing);
      setAttribute(download, "href", playing ? videoUrl : null);
    },
  };
}

/** @type {TakesOf} */
function takesOf({ video }) {
  const takes = [{ id: "picture", url: null, number: 0, created_at: null, newest: false }, ...video.history.map(earlierTake)];
  if (video.status !== "completed" || !video.url) return takes;
  return [...takes, { id: video.task_id ?? "newest", url: video.url, number: takes.length, created_at: null, newest: true }];
}

/** @type {EarlierTake} */
function earlierTake({ task_id, url, created_at }, index) {
  return { id: task_id ?? created_at, url, number: index + 1, created_at, newest: false };
}

/** @type {CreateTakes} */
function createTakes(look) {
  const list = h("ul", { class: "takes-list" });
  const hint = h("p", { class: "takes-hint", t: "takes.none" });
  const element = h("section", { class: "takes", label: "takes", testid: "takes" }, list, hint);
  const differs = changes();
  /** @type {Map<string, Part<[take: Take, shown: boolean]>>} */
  let chips = new Map();
  return {
    element,
    update(workspace, shown) {
      if (!differs(workspace?.video, workspace?.key, shown, language())) return;
      setAttribute(element, "data-blank", workspace ? null : "true");
      if (!workspace) return;
      const takes = takesOf(workspace);
      chips = new Map(takes.map(({ id }) => [id, chips.get(id) ?? createTake(id, look)]));
      for (const take of takes) chips.get(take.id)?.update(take, take.id === shown);
      arrange(list, [...chips.values()].map((chip) => chip.element));
      show(hint, takes.length === 1);
      const chosen = chips.get(shown)?.element;
      if (chosen) list.scrollLeft = Math.min(chosen.offsetLeft, Math.max(list.scrollLeft, chosen.offsetLeft + chosen.offsetWidth - list.clientWidth));
    },
  };
}

/** @type {CreateTake} */
function createTake(id, look) {
  const name = h("span", { class: "take-name" });
  const when = h("span", { class: "take-when" });
  const chip = button({ class: "take" }, () => look(id), icon(id === "picture" ? "image" : "play"), h("span", { class: "take-text" }, name, when));
  return {
    element: h("li", {}, chip),
    update({ number, newest, created_at }, shown) {
      setAttribute(chip, "aria-pressed", shown ? "true" : "false");
      setText(name, number ? t("take", { number }) : t("take.picture"));
      setText(when, newest ? t("take.newest") : created_at ? moment(created_at) : "");
    },
  };
}

/** @type {CreatePlayer} */
function createPlayer(refresh, failed) {
  const video = h("video", { controls: true, playsinline: true, preload: "metadata", label: "video.label", testid: "player" });
  /** @type {string | null} */
  let url = null;
  const tried = new Set();
  let resumeAt = 0;
  let broken = false;

  video.addEventListener("error", async () => {
    const failing = url;
    if (failing === null) return;
    resumeAt ||= video.currentTime;
    if (tried.has(failing)) {
      broken = true;
      return failed();
    }
    tried.add(failing);
    await refresh().catch(() => undefined);
    // A new address was set by an update meanwhile.
    if (url === failing) load(failing);
  });
  video.addEventListener("loadedmetadata", () => {
    tried.clear();
    if (resumeAt > 0) video.currentTime = resumeAt;
    resumeAt = 0;
  });

  const load = (/** @type {string | null} */ address) => {
    broken = false;
    setAttribute(video, "src", address);
    video.load();
  };

  return {
    element: video,
    broken: () => broken,
    show(next, poster, same) {
      if (poster !== null || !same) setAttribute(video, "poster", poster);
      if (next === url) return;
      resumeAt = same ? resumeAt || video.currentTime : 0;
      url = next;
      load(next);
    },
  };
}
