import { MotionboardError } from "../motionboard.js";
import { t } from "./i18n.js";
import { announce } from "./messages.js";

/** @type {IsAborted} */
export const isAborted = (error) => error instanceof MotionboardError && error.code === "ABORTED";

/** @type {SendPicture} */
export async function sendPicture(app, key, file) {
  drop(app, key);
  const controller = new AbortController();
  /** @type {Upload} */
  const upload = { file, preview: URL.createObjectURL(file), phase: "sending", fraction: 0, error: null, controller };
  const set = (/** @type {Partial<Upload>} */ change) => {
    if (controller.signal.aborted) return;
    app.uploads.set(key, { ...upload, ...change });
    app.changed();
  };
  set({});
  try {
    const { image_url } = await app.board.upload(key, file, { onProgress: (fraction) => set({ fraction }), signal: controller.signal });
    set({ phase: "arriving", fraction: 1 });
    announce(t("upload.done"));
    // The preview stays until the uploaded picture can be shown in its place.
    const image = new Image();
    image.src = app.board.workspace(key)?.image_url ?? image_url;
    await image.decode().catch(() => undefined);
    if (!controller.signal.aborted) cancelUpload(app, key);
  } catch (error) {
    if (!isAborted(error)) set({ phase: "failed", error });
    else if (!controller.signal.aborted) cancelUpload(app, key);
  }
}

/** @type {Act} */
export function retryUpload(app, key) {
  const upload = app.uploads.get(key);
  if (upload) void sendPicture(app, key, upload.file);
}

/** @type {Act} */
export function cancelUpload(app, key) {
  drop(app, key);
  app.changed();
}

/** @type {Act} */
function drop({ uploads }, key) {
  const upload = uploads.get(key);
  if (!upload) return;
  uploads.delete(key);
  upload.controller.abort();
  URL.revokeObjectURL(upload.preview);
}
