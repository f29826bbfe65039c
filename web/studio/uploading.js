import { t } from "./i18n.js";
import { announce, isAborted } from "./messages.js";

/** Sends a picture into a workspace; it takes the place of one that is on its way. @type {(app: App, key: string, file: Blob) => Promise<void>} */
export async function sendPicture(app, key, file) {
  drop(app, key);
  const controller = new AbortController();
  /** @type {Upload} */
  const upload = { file, preview: URL.createObjectURL(file), phase: "sending", fraction: 0, error: null, controller };
  /** @param {Partial<Upload>} change */
  const set = (change) => {
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

/** Sends the same file again. @type {(app: App, key: string) => void} */
export function retryUpload(app, key) {
  const upload = app.uploads.get(key);
  if (upload) void sendPicture(app, key, upload.file);
}

/** Stops an upload, or forgets one that failed. @type {(app: App, key: string) => void} */
export function cancelUpload(app, key) {
  drop(app, key);
  app.changed();
}

/** @type {(app: App, key: string) => void} */
function drop({ uploads }, key) {
  const upload = uploads.get(key);
  if (!upload) return;
  uploads.delete(key);
  upload.controller.abort();
  URL.revokeObjectURL(upload.preview);
}
