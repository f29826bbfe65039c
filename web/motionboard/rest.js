/** @import { MakeLoader, MakeRest, UploadRequest } from "./types.js" */
/** @import { ErrorCode } from "../motionboard.js" */
import { MotionboardError, parse } from "./errors.js";

/** A request may take 30 s in the cloud (contract §4). */
const LIMIT = 35_000;
/** How often what may be repeated is, while the network fails: after 1 s, 2 s, 4 s. */
const REPEATS = 3;

/** 10 MiB, the contract's limit. */
export const MAX_IMAGE_BYTES = 10 * 1024 * 1024;
export const IMAGE_TYPES = Object.freeze(["image/jpeg", "image/png", "image/webp"]);
/** Through the API goes what surely fits into a function's event: 6 MB, as base64, with the rest of the form (contract §2). */
const MAX_FORM_BYTES = 4_000_000;

/** What the gateway in front answers by itself, without the contract's envelope. @type {{ [status: number]: ErrorCode }} */
const OF_STATUS = { 401: "UNAUTHORIZED", 404: "NOT_FOUND", 413: "FILE_TOO_LARGE", 429: "RATE_LIMITED", 503: "SERVICE_UNAVAILABLE" };
/** Nobody said that it was carried out, and it may succeed later. */
const PASSING = ["NETWORK", "TIMEOUT", "DB_ERROR", "SERVICE_UNAVAILABLE"];

/** The data of an answer, or the error that it is (contract §1). @param {{ status: number, text: string, retryAfter: string | null }} answer */
function unwrap({ status, text, retryAfter }) {
  const body = parse(text);
  if (status < 300 && body?.success === true) return body.data;
  const { code = OF_STATUS[status] ?? "GATEWAY_ERROR", message = body?.message, details } = body?.error ?? {};
  const seconds = Number(retryAfter) || Number(details?.retry_after_seconds) || 0;
  throw new MotionboardError(code, message ?? `the server answered ${status}`, { status, details, retryAfter: seconds });
}

/** What a file is by its content, as the server will see it. @param {Blob} file */
async function typeOf(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (/^RIFF[^]{4}WEBP/.test(head)) return "image/webp";
  throw new MotionboardError("UNSUPPORTED_FILE_TYPE", "a picture must be JPEG, PNG or WebP", { status: 415 });
}

/** @type {MakeRest} */
export function makeRest(platform, base, getToken) {
  /** @template T @param {(headers: { [name: string]: string }) => Promise<T>} request @returns {Promise<T>} */
  const authorized = async (request) => {
    const attempt = async (/** @type {boolean} */ renew) => {
      const token = await getToken(renew);
      return request(token ? { authorization: `Bearer ${token}` } : {});
    };
    return attempt(false).catch((error) => {
      if (error.code !== "UNAUTHORIZED") throw error;
      return attempt(true);
    });
  };

  /** @template T @param {() => Promise<T>} request @returns {Promise<T>} */
  const repeated = async (request, repeats = REPEATS) => request().catch(async (error) => {
    const isPassing = PASSING.includes(error.code) || (error.code === "GATEWAY_ERROR" && error.status >= 500);
    if (!repeats || !isPassing) throw error;
    const delay = Math.max(error.retryAfter, 2 ** (REPEATS - repeats)) * 1_000;
    await new Promise((resolve) => void platform.setTimeout(() => resolve(null), delay));
    return repeated(request, repeats - 1);
  });

  /** @param {UploadRequest} request */
  const sent = async (request) => {
    const { signal } = request;
    return (signal.aborted ? Promise.reject() : platform.upload(request)).catch(() => {
      throw signal.aborted ? new MotionboardError("ABORTED", "the upload was stopped") : new MotionboardError("NETWORK", "the upload broke off");
    });
  };

  const self = {
    /** @template {string | null} T @param {T} url @returns {T} */
    resolve: (url) => /** @type {T} */ (url?.startsWith("/") ? base + url : url),

    /** @param {string} method @param {string} path @param {import("./types.js").Content} [content] */
    call: (method, path, { json, headers, repeat } = {}) => repeated(() => authorized(async (authorization) => {
      /** @type {RequestInit} */
      const init = { method, cache: "no-store", signal: AbortSignal.timeout(LIMIT), headers: { ...authorization, ...headers } };
      if (json) Object.assign(init, { body: JSON.stringify(json), headers: { ...init.headers, "content-type": "application/json" } });
      const answer = await platform.fetch(base + path, init)
        .then(async (response) => ({ status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") }))
        .catch(({ name }) => {
          throw name === "TimeoutError" ? new MotionboardError("TIMEOUT", "no answer in time") : new MotionboardError("NETWORK", "the server can't be reached");
        });
      return unwrap(answer);
    }), repeat ? REPEATS : 0),

    /** @param {Blob} file @param {(fraction: number) => void} progress @param {AbortSignal} signal */
    async upload(file, progress, signal) {
      if (file.size > MAX_IMAGE_BYTES) {
        throw new MotionboardError("FILE_TOO_LARGE", "a picture may have 10 MB", { status: 413, details: { limit: MAX_IMAGE_BYTES } });
      }
      const type = await typeOf(file);
      const onProgress = (/** @type {number} */ fraction) => void (signal.aborted || progress(fraction));
      if (file.size <= MAX_FORM_BYTES) {
        const body = new FormData();
        body.append("image", new Blob([file], { type }), "image");
        const url = `${base}/api/upload/image`;
        return repeated(() => authorized(async (headers) => unwrap(await sent({ method: "POST", url, headers, body, onProgress, signal }))));
      }
      const json = { content_type: type, size: file.size };
      const { upload, image_path, image_url } = await self.call("POST", "/api/upload/image", { json, repeat: true });
      const { method, url, headers } = upload;
      await repeated(async () => {
        const answer = await sent({ method, url, headers, body: file, onProgress, signal });
        // 412: it is there already, so that only the answer to an earlier try was lost.
        if (answer.status >= 300 && answer.status !== 412) unwrap(answer);
      });
      return { image_path, image_url };
    },
  };
  return self;
}

/** Where the list can't be loaded, another try comes after a random part of 1 s, 2 s, 4 s and so on. */
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;

/** @type {MakeLoader} */
export function makeLoader(platform, rest, replica, on) {
  /** @type {Promise<void> | null} */
  let loading = null;
  let isAskedAgain = false;
  let failures = 0;
  /** @type {unknown} */
  let timer = null;

  const read = async (/** @type {string[] | undefined} */ missed = undefined) => {
    const asked = replica.moment();
    const documents = [];
    let pages = 0;
    for (let cursor = ""; !pages || cursor; pages += 1) {
      const { workspaces, next_cursor } = await rest.call("GET", `/api/workspaces${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
      documents.push(...workspaces);
      cursor = next_cursor ?? "";
    }
    const { gone: unlisted, isStale } = replica.list(documents, asked);
    const gone = [...unlisted, ...on.wanted().filter((id) => !replica.document(id))];
    // What moved from one page to another while they were read may be in none: only what is missed twice is gone.
    if (pages > 1 && gone.length && !missed) return read(gone);
    isAskedAgain ||= isStale;
    failures = 0;
    on.loaded(gone.filter((id) => missed?.includes(id) ?? true));
  };

  const failed = (/** @type {MotionboardError} */ error) => {
    if (!on.failed(error)) return;
    const delay = platform.random() * Math.min(FIRST_DELAY * 2 ** failures, LONGEST_DELAY);
    failures += 1;
    self.loadLater(Math.max(delay, error.retryAfter * 1_000));
  };

  const loadAll = async () => {
    do {
      isAskedAgain = false;
      self.stop();
      await read().catch(failed);
    } while (isAskedAgain);
    loading = null;
  };

  const self = {
    load() {
      isAskedAgain = loading !== null;
      return loading ??= loadAll();
    },
    /** @param {number} ms */
    loadLater(ms) {
      timer ??= platform.setTimeout(() => void self.load(), ms);
    },
    stop() {
      platform.clearTimeout(timer);
      timer = null;
    },
  };
  return self;
}
