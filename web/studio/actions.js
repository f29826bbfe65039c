import { isTextField } from "./dom.js";
import { t } from "./i18n.js";
import { announce, errorText, isAborted, showToast, titleOf } from "./messages.js";
import { recall, remember } from "./remember.js";

/** How long a deletion can be taken back. */
const UNDO_MS = 5000;

/** @type {CreateActions} */
export function createActions(app, focusCard) {
  const { board } = app;
  /** Takes back the last deletion, while that is possible. @type {(() => void) | null} */
  let undoLast = null;

  function create() {
    const key = board.create();
    app.select(key);
    announce(t("announce.created"));
    return key;
  }

  /** @param {string} key */
  function remove(key) {
    const workspace = board.workspace(key);
    if (!workspace) return;
    const undo = board.remove(key, { delay: UNDO_MS });
    const bring = () => {
      undoLast = null;
      close();
      if (!undo()) return void showToast({ text: t("undo.late"), bad: true });
      app.select(key);
      announce(t("announce.restored"));
      queueMicrotask(() => focusCard(key));
    };
    const close = showToast({ text: t("deleted", { title: titleOf(workspace) }), ms: UNDO_MS, countdown: true, action: { label: t("undo"), run: bring } });
    undoLast = bring;
    setTimeout(() => {
      if (undoLast === bring) undoLast = null;
    }, UNDO_MS);
  }

  /** @type {Actions["move"]} */
  function move(key, before) {
    board.move(key, before);
    const { workspaces } = board.state;
    announce(t("announce.moved", { place: workspaces.findIndex((one) => one.key === key) + 1, count: workspaces.length }));
  }

  /** @type {Actions["moveBy"]} */
  function moveBy(key, by) {
    const { workspaces } = board.state;
    const at = workspaces.findIndex((one) => one.key === key);
    if (!workspaces[at + by]) return announce(t("announce.edge"));
    move(key, workspaces[by < 0 ? at - 1 : at + 2]?.key ?? null);
  }

  /** @type {Actions["openMenu"]} */
  async function openMenu(key, opener) {
    const menu = await import("./menu.js");
    const { workspaces } = board.state;
    const first = workspaces[0]?.key === key;
    const last = workspaces.at(-1)?.key === key;
    menu.openMenu(opener, [
      { word: "move.up", icon: "up", keys: "Alt ↑", disabled: first, run: () => moveBy(key, -1) },
      { word: "move.down", icon: "down", keys: "Alt ↓", disabled: last, run: () => moveBy(key, 1) },
      { word: "move.first", icon: "first", disabled: first, run: () => move(key, workspaces[0]?.key ?? null) },
      { word: "move.last", icon: "last", disabled: last, run: () => move(key, null) },
      { word: "delete", icon: "trash", keys: "Del", danger: true, run: () => remove(key) },
    ]);
  }

  /** @type {Actions["addPictures"]} */
  async function addPictures(key, files) {
    const { sendPicture } = await import("./uploading.js");
    files.forEach((file, index) => void sendPicture(app, index === 0 && key ? key : create(), file));
  }

  addEventListener("keydown", (event) => {
    if (!undoLast || isTextField(event.target) || event.shiftKey || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    undoLast();
  });

  return { create, remove, move, moveBy, openMenu, addPictures };
}

/** @type {(app: App) => Generation} */
export function createGeneration(app) {
  /** Why asking failed, by the workspace's key. @type {Map<string, unknown>} */
  const errors = new Map();
  /** @type {Map<string, string>} */
  const statuses = new Map();

  return {
    error: (key) => errors.get(key) ?? null,

    async start() {
      const workspace = app.selected();
      if (!workspace || obstacle(app, workspace)) return;
      errors.delete(workspace.key);
      try {
        await app.board.generate(workspace.key);
      } catch (error) {
        if (isAborted(error)) return;
        errors.set(workspace.key, error);
        announce(errorText(error));
        app.changed();
      }
    },

    async cancel() {
      const workspace = app.selected();
      if (workspace?.video.status !== "generating") return;
      try {
        await app.board.cancel(workspace.key);
        announce(t("announce.cancelled"));
      } catch (error) {
        showToast({ text: errorText(error), bad: true });
      }
    },

    follow(workspaces) {
      for (const { key, _id, video, updated_at } of workspaces) {
        if (_id !== null && video.status === "generating") noteBegin(_id, video.task_id, updated_at);
        else if (_id !== null) noteEnd(_id);
        const ended = statuses.get(key) === "generating";
        statuses.set(key, video.status);
        if (ended && video.status === "completed") announce(t("announce.completed"));
        if (ended && video.status === "failed") announce(t("announce.failed"));
      }
    },
  };
}

/** Why no video can be asked for now. @type {Obstacle} */
export function obstacle(app, workspace) {
  if (!workspace) return "generate.no-workspace";
  if (app.uploads.get(workspace.key)?.phase === "sending") return "generate.uploading";
  if (!workspace.image_path && !workspace.image_url) return "generate.no-picture";
  if (workspace.requesting) return "generate.requesting";
  return workspace.video.status === "generating" ? "generate.running" : null;
}

/**
 * When generations began, by the workspace's id, since the backend doesn't tell: the moment at which this browser saw it; for one that
 * was running when the page was loaded, the workspace's last change.
 * @type {{ [id: string]: { task: string | null, at: number } }}
 */
const starts = readStarts();
/** Workspaces that were seen without a running generation since the page was loaded. @type {Set<string>} */
const idle = new Set();

/** Seconds for which a workspace has been generating. @param {string | null} id */
export function elapsed(id) {
  const start = starts[id ?? ""];
  return start ? Math.max(0, (Date.now() - start.at) / 1000) : 0;
}

/** @returns {typeof starts} */
function readStarts() {
  try {
    return JSON.parse(recall("generating") ?? "{}") ?? {};
  } catch {
    return {};
  }
}

function keepStarts() {
  remember("generating", Object.keys(starts).length ? JSON.stringify(starts) : null);
}

/** @type {NoteBegin} */
function noteBegin(id, task, updatedAt) {
  const known = starts[id];
  if (known && (known.task === task || task === null)) return;
  if (known?.task === null) known.task = task;
  else starts[id] = { task, at: idle.has(id) ? Date.now() : Math.min(Date.now(), Date.parse(updatedAt) || Date.now()) };
  idle.delete(id);
  keepStarts();
}

/** @param {string} id */
function noteEnd(id) {
  idle.add(id);
  if (!starts[id]) return;
  delete starts[id];
  keepStarts();
}
