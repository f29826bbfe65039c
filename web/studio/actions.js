// What a person does with workspaces. Loaded at the first sign of one.

import { isTextField } from "./dom.js";
import { t } from "./i18n.js";
import { obstacle } from "./inspector.js";
import { openMenuAt, outlines } from "./menu.js";
import { announce, showToast } from "./messages.js";
import { errorText, titleOf } from "./texts.js";
import { cancelUpload, isAborted, sendPicture } from "./uploading.js";

export { cancelUpload, retryUpload } from "./uploading.js";

/** How long a deletion can be taken back. */
const UNDO_MS = 5000;

/** Takes back the last deletion, while that is possible. @type {(() => void) | null} */
let undoLast = null;

addEventListener("keydown", (event) => {
  if (!undoLast || isTextField(event.target) || event.shiftKey || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
  event.preventDefault();
  undoLast();
});

/** @type {Act} */
export function remove(app, key) {
  const workspace = app.board.workspace(key);
  if (!workspace) return;
  cancelUpload(app, key);
  const undo = app.board.remove(key, { delay: UNDO_MS });
  const bring = () => {
    undoLast = null;
    close();
    if (!undo()) return void showToast({ text: t("undo.late"), bad: true });
    app.select(key);
    announce(t("announce.restored"));
    queueMicrotask(() => app.focusCard(key));
  };
  const close = showToast({ text: t("deleted", { title: titleOf(workspace) }), ms: UNDO_MS, countdown: true, action: { label: t("undo"), run: bring } });
  undoLast = bring;
  setTimeout(() => {
    if (undoLast === bring) undoLast = null;
  }, UNDO_MS);
}

/** @type {Move} */
export function move({ board }, key, before) {
  board.move(key, before);
  const { workspaces } = board.state;
  announce(t("announce.moved", { place: workspaces.findIndex((one) => one.key === key) + 1, count: workspaces.length }));
}

/** @type {MoveBy} */
export function moveBy(app, key, by) {
  const { workspaces } = app.board.state;
  const at = workspaces.findIndex((one) => one.key === key);
  if (!workspaces[at + by]) return announce(t("announce.edge"));
  move(app, key, workspaces[by < 0 ? at - 1 : at + 2]?.key ?? null);
}

/** @type {OpenMenu} */
export function openMenu(app, key, opener) {
  const { workspaces } = app.board.state;
  const first = workspaces[0]?.key === key;
  const last = workspaces.at(-1)?.key === key;
  openMenuAt(opener, [
    { word: "move.up", icon: outlines.up, keys: "Alt ↑", disabled: first, run: () => moveBy(app, key, -1) },
    { word: "move.down", icon: outlines.down, keys: "Alt ↓", disabled: last, run: () => moveBy(app, key, 1) },
    { word: "move.first", icon: outlines.first, disabled: first, run: () => move(app, key, workspaces[0]?.key ?? null) },
    { word: "move.last", icon: outlines.last, disabled: last, run: () => move(app, key, null) },
    { word: "delete", icon: outlines.trash, keys: "Del", danger: true, run: () => remove(app, key) },
  ]);
}

/** @type {AddPictures} */
export function addPictures(app, key, files) {
  files.forEach((file, index) => void sendPicture(app, index === 0 && key ? key : app.create(), file));
}

/** @type {OnShown} */
export async function generate(app) {
  const workspace = app.selected();
  if (!workspace || obstacle(app, workspace)) return;
  const { key } = workspace;
  app.refusals.delete(key);
  if (app.uploads.get(key)?.phase === "failed") cancelUpload(app, key);
  try {
    await app.board.generate(key);
  } catch (error) {
    if (isAborted(error)) return;
    const { video, image_path } = app.board.workspace(key) ?? workspace;
    app.refusals.set(key, { error, video, image_path });
    announce(errorText(error));
    app.changed();
  }
}

/** @type {OnShown} */
export async function cancel(app) {
  const workspace = app.selected();
  if (workspace?.video.status !== "generating") return;
  try {
    await app.board.cancel(workspace.key);
    announce(t("announce.cancelled"));
  } catch (error) {
    showToast({ text: errorText(error), bad: true });
  }
}
