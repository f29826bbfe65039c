// What a person asks for over REST. Loaded with the first request.
/** @import { Asked, Generate, Platform, Suggest, UploadImage, UploadRequest } from "./types.js" */
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

/** @type {Asked} */
const asked = ({ connection }, call) => call.catch((error) => {
  if (error.code === "UNAUTHORIZED") connection.unauthorized(false);
  throw error;
});

/** @type {UploadImage} */
async function sendImage({ platform, rest }, file, progress, signal) {
  if (file.size > MAX_IMAGE_BYTES) {
    throw new MotionboardError("FILE_TOO_LARGE", "a picture may have 10 MB", { status: 413, details: { limit: MAX_IMAGE_BYTES } });
  }
  const type = await typeOf(file);
  const onProgress = (/** @type {number} */ fraction) => void (signal.aborted || progress(fraction));
  if (file.size <= MAX_FORM_BYTES) {
    const body = new FormData();
    body.append("image", new Blob([file], { type }), "image");
    const url = rest.resolve("/api/upload/image");
    return rest.repeated(() => rest.authorized(async (headers) => unwrap(await sent(platform, { method: "POST", url, headers, body, onProgress, signal }))));
  }
  const json = { content_type: type, size: file.size };
  const { upload, image_path, image_url } = await rest.call("POST", "/api/upload/image", { json, repeat: true });
  const { method, url, headers } = upload;
  await rest.repeated(async () => {
    const answer = await sent(platform, { method, url, headers, body: file, onProgress, signal });
    // 412: it is there already, so that only the answer to an earlier try was lost.
    if (answer.status >= 300 && answer.status !== 412) unwrap(answer);
  });
  return { image_path, image_url };
}

/** @type {UploadImage} */
export const upload = (parts, file, progress, signal) => asked(parts, sendImage(parts, file, progress, signal));

/** @type {Generate} */
export async function generate(parts, id, { image_path, form_data }) {
  const { platform, rest, replica, screen, loader } = parts;
  if (!image_path) throw new MotionboardError("INVALID_PARAMS", "there is no picture", { details: { field: "image_url" } });
  const before = replica.document(id)?.video;
  // Repeats carry the same key: whatever happens to the answers, the vendor is paid once.
  const headers = { "idempotency-key": platform.id() };
  const json = { workspace_id: id, image_url: `/api/${image_path}`, params: paramsOf(form_data) };
  const end = screen.request(id);
  try {
    const { task_id } = await asked(parts, rest.call("POST", "/api/generate/video", { json, headers, repeat: true }));
    if (before) replica.begun(id, before, task_id);
  } catch (error) {
    // What is true now: another's video, or one that began although no answer came.
    void loader.load();
    throw error;
  } finally {
    end();
  }
}

/** A push may be later than the answer that it belongs to. */
const PUSH_DELAY = 2_000;

/** @type {Suggest} */
export async function suggest(parts, id, { form_data }, input) {
  const { rest, replica, loader } = parts;
  const exchanges = () => replica.document(id)?.ai_collaboration;
  const known = exchanges();
  const json = { workspace_id: id, user_input: input, context: { current_params: paramsOf(form_data) } };
  const { suggestions } = await asked(parts, rest.call("POST", "/api/ai/suggest", { json }));
  if (exchanges() === known) loader.loadLater(PUSH_DELAY);
  return suggestions;
}

/** @param {import("../motionboard.js").FormData} form */
const paramsOf = ({ camera_movement, shot_type, lighting, motion_prompt }) => ({ camera_movement, shot_type, lighting, motion_prompt });
