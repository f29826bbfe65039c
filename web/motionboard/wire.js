/** @import { Connection, Loader, MakeConnection, MakeLoader, MakeRest, Platform, Rest, Socket } from "./types.js" */
/** @import { ConnectionState, ErrorCode, MotionboardError as Written } from "../motionboard.js" */

export class MotionboardError extends Error {
  /** @param {ErrorCode} code @param {string} message @param {{ status?: number, details?: object, retryAfter?: number }} [more] */
  constructor(code, message, { status = 0, details = {}, retryAfter = 0 } = {}) {
    super(message);
    this.name = "MotionboardError";
    this.code = code;
    this.status = status;
    /** @type {Written["details"]} */
    this.details = { ...details };
    this.retryAfter = retryAfter;
  }
}

/** @param {string} text @returns {any} undefined for what is no JSON */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Contract §3. */
const HEARTBEAT = 30_000;
const SILENCE = 60_000;
const HANDSHAKE = 10_000;
/** Full jitter; of connections ten attempts. */
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 60_000;
const ATTEMPTS = 10;
/** @param {Platform} platform @param {number} failures */
const backOff = (platform, failures) => platform.random() * Math.min(FIRST_DELAY * 2 ** failures, LONGEST_DELAY);

/** The gateway ends it after 2 h (contract §4). */
const LIFE = 110 * 60_000;
const LIFE_JITTER = 10 * 60_000;
const EARLY = 60_000;
const REPLACE_DELAY = 30_000;
const DRAIN = 5_000;

/** Of a JWT, which only the server verifies. @param {string} token @returns {{ exp?: number, sub?: string }} */
export function claims(token) {
  try {
    const text = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    return parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0)))) ?? {};
  } catch {
    return {};
  }
}

/** @param {Socket | null} socket */
function discard(socket) {
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

/** @type {MakeConnection} */
export function makeConnection(platform, url, getToken, on) {
  /** @type {ConnectionState} */
  let state = "closed";
  let attempt = 0;
  /** @type {number | null} */
  let retryAt = null;
  /** The one that sends, its successor, its predecessor. @type {Socket | null} */
  let socket = null;
  /** @type {Socket | null} */
  let former = null;
  /** @type {Socket | null} */
  let next = null;
  /** @type {unknown} */
  let timer;
  /** @type {unknown} */
  let planned;
  /** @type {(() => void) | undefined} */
  let endHeartbeat;
  let lastHeard = 0;
  let expiry = Infinity;
  let mustRenew = false;
  /** Who waited for a connection that was given up sees it. */
  let epoch = 0;

  const become = (/** @type {typeof state} */ now, /** @type {number | null} */ at = null) => {
    state = now;
    retryAt = at;
    on.change();
  };

  const drop = () => {
    epoch += 1;
    platform.clearTimeout(timer);
    platform.clearTimeout(planned);
    discard(socket);
    discard(next);
    discard(former);
    socket = next = former = null;
  };

  const again = () => {
    if (attempt >= ATTEMPTS) return become("offline");
    const delay = backOff(platform, attempt);
    attempt += 1;
    become("reconnecting", platform.now() + delay);
    timer = platform.setTimeout(() => void connect("reconnecting"), delay);
  };

  const heard = (/** @type {{ data: unknown }} */ { data }) => {
    lastHeard = platform.now();
    // Not at once: one that opens and closes without a word must not begin the attempts anew.
    attempt = 0;
    const message = typeof data === "string" ? parse(data) : undefined;
    // The gateway's own errors have no type; the repeat comes by itself.
    if (typeof message?.type === "string" && message.data) on.message(message);
  };

  /** @returns {Promise<Socket | null>} null if it can't be opened, or isn't wanted any more */
  const handshake = async () => {
    const mine = epoch;
    const renew = mustRenew || expiry - EARLY <= platform.now();
    const token = await getToken(renew).catch(() => undefined);
    if (mine !== epoch || token === undefined) return null;
    mustRenew = false;
    expiry = ((token && claims(token).exp) || Infinity) * 1_000;
    // Over as it comes: rather it is our clock that is wrong.
    if (expiry - EARLY <= platform.now()) expiry = Infinity;
    /** @type {Socket} */
    let opening;
    try {
      opening = next = platform.connect(url, token ? ["motionboard", token] : []);
    } catch {
      return null;
    }
    return new Promise((resolve) => {
      const fail = () => {
        platform.clearTimeout(limit);
        discard(opening);
        resolve(null);
      };
      const limit = platform.setTimeout(fail, HANDSHAKE);
      opening.onclose = fail;
      opening.onopen = () => {
        platform.clearTimeout(limit);
        next = null;
        opening.onmessage = heard;
        opening.onclose = () => {
          if (opening === socket) lose(again);
        };
        const life = Math.min(LIFE - platform.random() * LIFE_JITTER, expiry - EARLY - platform.now());
        platform.clearTimeout(planned);
        planned = platform.setTimeout(() => void replace(), Math.max(life, REPLACE_DELAY));
        resolve(opening);
      };
    });
  };

  const connect = async (/** @type {typeof state} */ how) => {
    drop();
    const mine = epoch;
    become(how);
    const opened = await handshake();
    if (mine !== epoch) return;
    if (!opened) {
      again();
      return on.refused();
    }
    socket = opened;
    lastHeard = platform.now();
    become("open");
    on.open();
  };

  const replace = async () => {
    const mine = epoch;
    const opened = await handshake();
    if (mine !== epoch) return;
    if (opened) {
      former = socket;
      socket = opened;
      platform.setTimeout(() => discard(former), DRAIN);
      on.replaced();
    } else planned = platform.setTimeout(() => void replace(), REPLACE_DELAY);
  };

  const lose = (/** @type {() => void} */ then) => {
    drop();
    on.lost();
    then();
  };

  /** @type {Connection} */
  const self = {
    get state() {
      return state;
    },
    get attempt() {
      return attempt;
    },
    get retryAt() {
      return retryAt;
    },
    get isOpen() {
      return socket !== null;
    },
    start() {
      endHeartbeat ??= platform.every(HEARTBEAT, () => self.check(true));
      attempt = 0;
      mustRenew = false;
      if (!socket) void connect(state === "closed" ? "connecting" : "reconnecting");
    },
    stop() {
      endHeartbeat?.();
      endHeartbeat = undefined;
      drop();
      become("closed");
    },
    unauthorized(renew) {
      mustRenew = true;
      if (state !== "closed") lose(renew ? again : () => become("unauthorized"));
    },
    send(text) {
      socket?.send(text);
      return socket !== null;
    },
    check(ping) {
      // The clock was put back: it must not look alive for as long.
      lastHeard = Math.min(lastHeard, platform.now());
      if (platform.now() - lastHeard >= SILENCE) self.suspect();
      else if (ping) self.send(JSON.stringify({ type: "ping", data: {}, timestamp: platform.now() }));
    },
    hasHeardSince: (moment) => lastHeard >= moment,
    suspect() {
      if (socket) lose(() => void connect("reconnecting"));
    },
  };
  return self;
}

/** In the cloud it is 30 s (contract §4). */
const LIMIT = 35_000;
const REPEATS = 3;

export const MAX_IMAGE_BYTES = 10 * 1024 * 1024;
export const IMAGE_TYPES = Object.freeze(["image/jpeg", "image/png", "image/webp"]);

/** The gateway's own answers, without the contract's envelope. @type {{ [status: number]: ErrorCode }} */
const OF_STATUS = { 401: "UNAUTHORIZED", 404: "NOT_FOUND", 413: "FILE_TOO_LARGE", 429: "RATE_LIMITED", 503: "SERVICE_UNAVAILABLE" };
const PASSING = ["NETWORK", "TIMEOUT", "DB_ERROR", "SERVICE_UNAVAILABLE"];

/** @param {{ status: number, text: string, retryAfter: string | null }} answer */
export function unwrap({ status, text, retryAfter }) {
  const body = parse(text);
  if (status < 300 && body?.success === true) return body.data;
  const { code = OF_STATUS[status] ?? "GATEWAY_ERROR", message = body?.message, details } = body?.error ?? {};
  const seconds = Number(retryAfter) || Number(details?.retry_after_seconds) || 0;
  throw new MotionboardError(code, message ?? `the server answered ${status}`, { status, details, retryAfter: seconds });
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

  /** @type {Rest} */
  const self = {
    authorized,
    repeated: (request) => repeated(request),
    resolve: (url) => /** @type {typeof url} */ (url?.startsWith("/") ? base + url : url),
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
  };
  return self;
}

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
    const delay = backOff(platform, failures);
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

  /** @type {Loader} */
  const self = {
    load() {
      isAskedAgain = loading !== null;
      return loading ??= loadAll();
    },
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
