/** @import { MakeConnection, Socket } from "./types.js" */
import { parse } from "./errors.js";

/** Contract §3: a ping each 30 s; what has said nothing for 60 s is dead. */
const HEARTBEAT = 30_000;
const SILENCE = 60_000;
/** How long a handshake may take. */
const HANDSHAKE = 10_000;
/** Back-off: full jitter below 1 s, 2 s, 4 s and so on, ten attempts. */
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 60_000;
const ATTEMPTS = 10;
/** The gateway ends a connection after 2 h (contract §4); not all pages at the same minute. */
const LIFE = 110 * 60_000;
const LIFE_JITTER = 10 * 60_000;
/** A token is renewed so long before its end. */
const EARLY = 60_000;
/** How soon a planned change that failed is tried again. */
const REPLACE_DELAY = 30_000;
/** How long the old connection of two may still bring answers. */
const DRAIN = 5_000;

/** The claims of a JWT, which only the server verifies; none where it is no JWT. @param {string} token @returns {{ exp?: number, sub?: string }} */
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
  /** @type {import("../motionboard.js").ConnectionState} */
  let state = "closed";
  let attempt = 0;
  /** @type {number | null} */
  let retryAt = null;
  /** The one that sends, and the one that is to follow it. @type {Socket | null} */
  let socket = null;
  /** @type {Socket | null} */
  let next = null;
  /** @type {unknown} */
  let timer;
  /** @type {unknown} */
  let planned;
  /** @type {(() => void) | undefined} */
  let endHeartbeat;
  let lastHeard = 0;
  /** Of the token in use. */
  let expiry = Infinity;
  let mustRenew = false;
  /** Counts the connections that were given up: who waited for one of those sees it. */
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
    socket = next = null;
  };

  const again = () => {
    if (attempt >= ATTEMPTS) return become("offline");
    const delay = platform.random() * Math.min(FIRST_DELAY * 2 ** attempt, LONGEST_DELAY);
    attempt += 1;
    become("reconnecting", platform.now() + delay);
    timer = platform.setTimeout(() => void connect("reconnecting"), delay);
  };

  const heard = (/** @type {{ data: unknown }} */ { data }) => {
    lastHeard = platform.now();
    // Only what speaks is a connection: one that opens and closes at once must not begin the attempts anew.
    attempt = 0;
    const message = typeof data === "string" ? parse(data) : undefined;
    // The gateway's own errors have no type. Whose frame it was isn't said; its repeat comes by itself.
    if (typeof message?.type === "string" && message.data) on.message(message);
  };

  /** Opens a socket. @returns {Promise<Socket | null>} null if it can't be opened, or isn't wanted any more */
  const handshake = async () => {
    const mine = epoch;
    const renew = mustRenew || expiry - EARLY <= platform.now();
    const token = await getToken(renew).catch(() => undefined);
    if (mine !== epoch || token === undefined) return null;
    mustRenew = false;
    expiry = ((token && claims(token).exp) || Infinity) * 1_000;
    return new Promise((resolve) => {
      const opening = next = platform.connect(url, token ? ["motionboard", token] : []);
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
    const former = socket;
    const opened = await handshake();
    if (mine !== epoch) return;
    if (opened) {
      socket = opened;
      platform.setTimeout(() => discard(former), DRAIN);
    } else planned = platform.setTimeout(() => void replace(), REPLACE_DELAY);
  };

  const lose = (/** @type {() => void} */ then) => {
    drop();
    on.lost();
    then();
  };

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
      // Whoever begins anew may have another token by now. If not, the list says so.
      mustRenew = false;
      if (!socket) void connect(state === "closed" ? "connecting" : "reconnecting");
    },
    stop() {
      endHeartbeat?.();
      endHeartbeat = undefined;
      drop();
      become("closed");
    },
    /** @param {boolean} renew */
    unauthorized(renew) {
      mustRenew = true;
      if (state !== "closed") lose(renew ? again : () => become("unauthorized"));
    },
    /** @param {string} text */
    send(text) {
      socket?.send(text);
      return socket !== null;
    },
    /** @param {boolean} ping */
    check(ping) {
      // The clock was put back: it must not look alive for as long.
      lastHeard = Math.min(lastHeard, platform.now());
      if (platform.now() - lastHeard >= SILENCE) self.suspect();
      else if (ping) self.send(JSON.stringify({ type: "ping", data: {}, timestamp: platform.now() }));
    },
    hasHeardSince: (/** @type {number} */ moment) => lastHeard >= moment,
    suspect() {
      if (socket) lose(() => void connect("reconnecting"));
    },
  };
  return self;
}
