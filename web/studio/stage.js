import { arrange, button, changes, h, icon, setAttribute, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { createBackdrop, createPicker, createPicture } from "./pictures.js";
import { moment, titleOf } from "./messages.js";
import { createEmptyPanel, createFailurePanel, createProgressPanel, createUploadPanel } from "./stage-panels.js";

/**
 * The stage: the picture of the shown workspace, what is being made of it, and its videos.
 * @type {MountStage}
 */
export function mountStage(root, app, actions, generation, onBroken) {
  const picker = createPicker((files) => actions.addPictures(app.selected()?.key, files));
  const backdrop = createBackdrop();
  const picture = createPicture({ lazy: false, onBroken, onShown: backdrop.show });
  const player = createPlayer(() => app.board.refresh(), app.changed);
  const panels = [createEmptyPanel(app, picker.open, actions.create), createUploadPanel(app, picker.open), createProgressPanel(generation), createFailurePanel(generation)];
  const viewer = h("div", { class: "viewer" }, backdrop.element, picture.element, player.element, ...panels.map((panel) => panel.element));
  const bar = createBar(app, actions, picker.open);
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
    for (const panel of panels) panel.update(workspace, view.mode, upload, player.broken());
    bar.update(state, workspace, view, upload);
    takes.update(workspace, take);
  };
}

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

/** What somebody wants to look at: the newest there is, until a take is chosen, and again when another one is made. */
function createLooking() {
  /** @type {Map<string, { take: string, video: string }>} */
  const chosen = new Map();
  /** @param {Workspace} workspace */
  const videoOf = ({ video }) => `${video.task_id} ${video.status}`;
  return {
    /** @type {(workspace: Workspace | undefined, take: string) => void} */
    at(workspace, take) {
      if (workspace) chosen.set(workspace.key, { take, video: videoOf(workspace) });
    },
    /** @type {(workspace: Workspace) => string} */
    now(workspace) {
      const takes = takesOf(workspace);
      const choice = chosen.get(workspace.key);
      if (choice?.video === videoOf(workspace) && takes.some(({ id }) => id === choice.take)) return choice.take;
      return takes.find(({ newest }) => newest)?.id ?? "picture";
    },
  };
}

/**
 * The line above: which workspace it is, and what can be done with what is shown.
 * @type {CreateBar}
 */
function createBar(app, actions, choose) {
  const number = h("span", { class: "stage-number", "aria-hidden": "true" });
  const title = h("h2", { class: "stage-title", lang: "" });
  const download = h("a", { class: "tool", target: "_blank", rel: "noopener", download: true, tip: "video.download" }, icon("download"), h("span", { t: "video.download" }));
  const replace = button({ class: "tool", tip: "picture.replace" }, choose, icon("swap"), h("span", { t: "picture.replace" }));
  const openMenu = () => {
    const workspace = app.selected();
    if (workspace) actions.openMenu(workspace.key, more);
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

/** What there is to look at in a workspace: the picture, and the videos, oldest first. @type {(workspace: Workspace) => Take[]} */
export function takesOf({ video }) {
  const takes = [{ id: "picture", url: null, number: 0, created_at: null, newest: false }, ...video.history.map(earlierTake)];
  if (video.status !== "completed" || !video.url) return takes;
  return [...takes, { id: video.task_id ?? "newest", url: video.url, number: takes.length, created_at: null, newest: true }];
}

/** @type {EarlierTake} */
function earlierTake({ task_id, url, created_at }, index) {
  return { id: task_id ?? created_at, url, number: index + 1, created_at, newest: false };
}

/** The strip below the stage, by which one looks at the picture and at each video. @type {CreateTakes} */
export function createTakes(look) {
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

/**
 * The player. A video stays in it for as long as its address does. Addresses run out: after an error the board is loaded again, once for
 * each address, and the video goes on where it was.
 * @type {CreatePlayer}
 */
export function createPlayer(refresh, failed) {
  const video = h("video", { controls: true, playsinline: true, preload: "metadata", label: "video.label", testid: "player" });
  /** @type {string | null} */
  let url = null;
  /** @type {Set<string>} */
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
    if (resumeAt > 0) video.currentTime = resumeAt;
    resumeAt = 0;
  });

  /** @param {string | null} address */
  function load(address) {
    broken = false;
    setAttribute(video, "src", address);
    video.load();
  }

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
