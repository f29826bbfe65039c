/** @import { Platform, Send, UploadRequest } from "./types.js" */
import { MAX_IMAGE_BYTES, MotionboardError, unwrap } from "./wire.js";

/** What surely fits into a function's event, 6 MB, as base64, with the rest of the form (contract §2). */
const MAX_FORM_BYTES = 4_000_000;

/** By content, as the server will see it. @param {Blob} file */
async function typeOf(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (/^RIFF[^]{4}WEBP/.test(head)) return "image/webp";
  throw new MotionboardError("UNSUPPORTED_FILE_TYPE", "a picture must be JPEG, PNG or WebP", { status: 415 });
}

/** @param {Platform} platform @param {UploadRequest} request */
const sent = async (platform, request) => {
  const { signal } = request;
  return (signal.aborted ? Promise.reject() : platform.upload(request)).catch(() => {
    throw signal.aborted ? new MotionboardError("ABORTED", "the upload was stopped") : new MotionboardError("NETWORK", "the upload broke off");
  });
};

/** @type {Send} */
export async function send({ platform, base, call, authorized, repeated }, file, progress, signal) {
  if (file.size > MAX_IMAGE_BYTES) {
    throw new MotionboardError("FILE_TOO_LARGE", "a picture may have 10 MB", { status: 413, details: { limit: MAX_IMAGE_BYTES } });
  }
  const type = await typeOf(file);
  const onProgress = (/** @type {number} */ fraction) => void (signal.aborted || progress(fraction));
  if (file.size <= MAX_FORM_BYTES) {
    const body = new FormData();
    body.append("image", new Blob([file], { type }), "image");
    const url = `${base}/api/upload/image`;
    return repeated(() => authorized(async (headers) => unwrap(await sent(platform, { method: "POST", url, headers, body, onProgress, signal }))));
  }
  const json = { content_type: type, size: file.size };
  const { upload, image_path, image_url } = await call("POST", "/api/upload/image", { json, repeat: true });
  const { method, url, headers } = upload;
  await repeated(async () => {
    const answer = await sent(platform, { method, url, headers, body: file, onProgress, signal });
    // 412: it is there already, so that only the answer to an earlier try was lost.
    if (answer.status >= 300 && answer.status !== 412) unwrap(answer);
  });
  return { image_path, image_url };
}
