/**
 * @typedef {import("./types.js").Platform} Platform
 * @typedef {import("./types.js").Store} Store
 */

const DATABASE = "motionboard";
const EDITS = "edits";
/** Without progress, or an answer. */
const STALL = 40_000;
const TAB = "motionboard";

/** @returns {Platform} */
export function browser() {
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    id,
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (timer) => clearTimeout(/** @type {ReturnType<typeof setTimeout>} */ (timer)),
    every,
    fetch: (url, init) => fetch(url, init),
    connect: (url, protocols) => /** @type {import("./types.js").Socket} */ (new WebSocket(url, protocols)),
    upload,
    store: store(),
    tab: {
      read: () => attempt(() => sessionStorage.getItem(TAB)) ?? null,
      write: (text) => attempt(() => sessionStorage.setItem(TAB, text)),
    },
    lock,
    unlock: (name) => locks.get(name)?.(),
    on,
    base: location.href,
  };
}

/** `crypto.randomUUID` is missing on pages that came by plain HTTP from another machine. */
function id() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Browsers may forbid it. @template T @param {() => T} action @returns {T | undefined} */
function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** @type {Platform["every"]} */
function every(ms, callback) {
  const worker = attempt(() => new Worker(new URL("./heartbeat.js", import.meta.url), { type: "module" }));
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  // Without a worker (a library of another origin, a strict policy) the page's own timers must do.
  const fallBack = () => void (timer ??= setInterval(callback, ms));
  if (!worker) fallBack();
  else {
    worker.onmessage = callback;
    worker.onerror = fallBack;
    worker.postMessage(ms);
  }
  return () => {
    worker?.terminate();
    clearInterval(timer);
  };
}

/** @type {Platform["upload"]} */
function upload({ method, url, headers, body, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    /** @type {ReturnType<typeof setTimeout>} */
    let stalled;
    const goesOn = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALL);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      goesOn();
      onProgress(total ? loaded / total : 0);
    };
    request.onloadend = () => clearTimeout(stalled);
    request.onload = () => resolve({ status: request.status, retryAfter: retryAfter(request), text: request.responseText });
    request.onerror = request.onabort = () => reject(new Error("no answer"));
    signal.addEventListener("abort", () => request.abort());
    goesOn();
    request.send(body);
  });
}

/** @type {Map<string, () => void>} */
const locks = new Map();

/** To ask for a header by name that isn't shown to pages is an error in the console. @param {XMLHttpRequest} request */
const retryAfter = (request) => /^retry-after: *(.*)$/im.exec(request.getAllResponseHeaders())?.[1] ?? null;

/** @type {Platform["lock"]} */
function lock(name, wait) {
  // Without locks, as on pages that came by plain HTTP, two tabs may have one client id, and what a tab leaves waits for its own reload.
  if (!navigator.locks) return Promise.resolve(attempt(() => sessionStorage.getItem(TAB))?.includes(name.split(" ")[1] ?? "") ?? true);
  return new Promise((resolve) => {
    const held = (/** @type {Lock | null} */ taken) => {
      resolve(taken !== null);
      return taken && new Promise((release) => void locks.set(name, () => release(null)));
    };
    const options = wait ? { signal: AbortSignal.timeout(wait) } : { ifAvailable: true };
    navigator.locks.request(name, options, held).catch(() => resolve(false));
  });
}

/** @type {Platform["on"]} */
function on(event, callback) {
  const controller = new AbortController();
  const { signal } = controller;
  if (event === "hidden" || event === "shown") {
    const state = event === "hidden" ? "hidden" : "visible";
    document.addEventListener("visibilitychange", () => void (document.visibilityState === state && callback()), { signal });
  }
  if (event === "hidden" || event === "leave") addEventListener("pagehide", callback, { signal });
  if (event === "online" || event === "offline") addEventListener(event, callback, { signal });
  return () => controller.abort();
}

/** @returns {Store} */
function store() {
  /** @type {Promise<IDBDatabase> | null} */
  let opened = null;
  const forget = () => void (opened = null);
  const database = () => opened ??= open(forget).catch((error) => {
    forget();
    throw error;
  });
  /** Browsers close databases behind one's back. @template T @param {() => Promise<T>} action */
  const twice = (action) => action().catch((error) => {
    if (error.name !== "InvalidStateError") throw error;
    forget();
    return action();
  });
  return {
    all: () => twice(async () => {
      const edits = (await database()).transaction(EDITS).objectStore(EDITS);
      const [keys, values] = await Promise.all([done(edits.getAllKeys()), done(edits.getAll())]);
      return keys.map((key, index) => /** @type {[string, unknown]} */ ([String(key), values[index]]));
    }),
    write: (changes) => twice(async () => {
      const transaction = (await database()).transaction(EDITS, "readwrite");
      const edits = transaction.objectStore(EDITS);
      for (const [key, value] of changes) value === undefined ? edits.delete(key) : edits.put(value, key);
      // Not when the browser finds the time: the page may be closed by then.
      transaction.commit();
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      });
    }),
  };
}

/** @param {() => void} onClose @returns {Promise<IDBDatabase>} */
async function open(onClose) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => void request.result.createObjectStore(EDITS);
  const database = await done(request);
  // Another tab has a newer version of this library: it must not wait for us.
  database.onversionchange = () => {
    database.close();
    onClose();
  };
  database.onclose = onClose;
  return database;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
