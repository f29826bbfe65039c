// A browser: tabs that share a store and locks, and pages in them, which end without a word or with one.

import { randomOf } from "./clock.js";
import { MemoryStore } from "./store.js";
import { Wire } from "./wire.js";

/**
 * @typedef {import("../../../web/motionboard/types.js").Platform} Platform
 * @typedef {import("../../../web/motionboard/types.js").UploadRequest} UploadRequest
 * @typedef {import("../../../web/motionboard.js").Options} Options
 * @typedef {import("../../../web/motionboard.js").Motionboard} Motionboard
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {"hidden" | "leave" | "shown" | "online" | "offline"} PageEvent
 */

/**
 * What is at the other end of the network.
 * @typedef {object} Server
 * @property {(wire: Wire) => void} connect
 * @property {(wire: Wire, text: string) => void} receive
 * @property {(wire: Wire) => void} gone
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {(request: UploadRequest) => Promise<{ status: number, retryAfter: string | null, text: string }>} upload
 */

/** Another copy of the library can be tested: one with a mistake, which must be found. */
const library = process.env["MOTIONBOARD_LIBRARY"] ?? new URL("../../../web/motionboard/", import.meta.url).href;

// Loaded by the library with the first request: a virtual clock does not wait for files.
await import(`${library}requests.js`);
const { makeBoard } = /** @type {{ makeBoard: (options: Options, platform: Platform) => Motionboard }} */ (await import(`${library}board.js`));

/** What a tab remembers across reloads. */
export class Tab {
  /** @type {string | null} */
  text = null;

  /** What the browser's "duplicate" makes. */
  duplicate() {
    const other = new Tab();
    other.text = this.text;
    return other;
  }
}

export class Browser {
  /** @type {Map<string, Page>} */
  locks = new Map();
  /** @type {Array<{ name: string, page: Page, take: () => void }>} */
  lockQueue = [];
  /** @type {Page[]} those that live */
  pages = [];
  random;
  #ids = 0;

  /** @param {Clock} clock @param {Server} server @param {number} [seed] */
  constructor(clock, server, seed = 1) {
    this.clock = clock;
    this.server = server;
    this.random = randomOf(seed);
    this.store = new MemoryStore(clock);
  }

  id() {
    return `i${(this.#ids += 1)}`;
  }

  /** @param {Options} [options] @param {Tab} [tab] */
  page(options = {}, tab = new Tab()) {
    const page = new Page(this, tab, options);
    this.pages.push(page);
    return page;
  }

  /** @param {Page} page */
  ended(page) {
    this.pages = this.pages.filter((other) => other !== page);
    for (const [name, owner] of this.locks) if (owner === page) this.locks.delete(name);
    this.lockQueue = this.lockQueue.filter((waiting) => waiting.page !== page);
    this.unlocked();
  }

  unlocked() {
    for (const waiting of this.lockQueue.splice(0)) {
      if (this.locks.has(waiting.name)) this.lockQueue.push(waiting);
      else waiting.take();
    }
  }
}

/** A page of a tab, from its loading to its end. */
export class Page {
  isAlive = true;
  /** By how much this device's clock is ahead. */
  skew = 0;
  /** @type {Set<{ event: PageEvent, callback: () => void }>} */
  #listeners = new Set();
  /** @type {Set<Wire>} */
  wires = new Set();
  /** @type {Promise<void>} */
  opened = Promise.resolve();

  /** @param {Browser} browser @param {Tab} tab @param {Options} options */
  constructor(browser, tab, options) {
    this.browser = browser;
    this.clock = browser.clock;
    this.tab = tab;
    this.options = options;
    this.platform = this.#platform();
    this.board = makeBoard(options, this.platform);
  }

  /** Opens the board; resolves when everything happened that needs no time. */
  async open() {
    this.opened = this.board.open();
    this.opened.catch(() => {});
    await this.clock.settle();
    return this;
  }

  /** @param {PageEvent} event */
  fire(event) {
    for (const listener of [...this.#listeners]) if (listener.event === event && this.isAlive) listener.callback();
  }

  /** Ends at once, as in a crash. */
  crash() {
    if (!this.isAlive) return;
    this.isAlive = false;
    for (const wire of [...this.wires]) wire.close();
    this.browser.ended(this);
  }

  /** Ends as a page does that is left. */
  close() {
    this.fire("hidden");
    this.fire("leave");
    this.crash();
  }

  /** The next page in this tab, after this one has ended in whatever way; not opened yet. @param {Options} [options] */
  successor(options = this.options) {
    const next = this.browser.page(options, this.tab);
    next.skew = this.skew;
    return next;
  }

  /** The one that a `wire` belongs to, if it still wants to hear. @template {unknown[]} A @param {(...values: A) => void} callback @returns {(...values: A) => void} */
  #alive(callback) {
    return (...values) => void (this.isAlive && callback(...values));
  }

  /** A promise that a page sees fulfilled only if it is still there. @template T @param {Promise<T>} promise @returns {Promise<T>} */
  #seen(promise) {
    return new Promise((resolve, reject) => void promise.then(this.#alive(resolve), this.#alive(reject)));
  }

  /** @returns {Platform} */
  #platform() {
    const { browser, clock } = this;
    return {
      now: () => clock.now + this.skew,
      random: () => browser.random(),
      id: () => browser.id(),
      setTimeout: (callback, ms) => clock.setTimeout(this.#alive(callback), ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
      every: (ms, callback) => clock.every(ms, this.#alive(callback)),
      fetch: (url, init) => this.#seen(this.isAlive ? browser.server.fetch(url, init) : new Promise(() => {})),
      connect: (url, protocols) => {
        const wire = new Wire(this, url, protocols);
        if (this.isAlive) browser.server.connect(wire);
        return wire;
      },
      upload: (request) => this.#seen(this.isAlive ? browser.server.upload(request) : new Promise(() => {})),
      store: {
        all: () => this.#seen(browser.store.all()),
        write: (changes) => this.#seen(this.isAlive ? browser.store.write(changes, () => this.isAlive) : new Promise(() => {})),
      },
      tab: {
        read: () => this.tab.text,
        write: (text) => void (this.isAlive && (this.tab.text = text)),
      },
      lock: (name, wait) => this.#seen(this.#lock(name, wait)),
      unlock: (name) => {
        if (this.browser.locks.get(name) === this) this.browser.locks.delete(name);
        this.browser.unlocked();
      },
      on: (event, callback) => {
        const listener = { event, callback };
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      base: "https://page.example/",
    };
  }

  /** As `navigator.locks`: who asks twice waits for itself. @param {string} name @param {number} wait @returns {Promise<boolean>} */
  #lock(name, wait) {
    const { locks, lockQueue } = this.browser;
    return new Promise((resolve) => {
      const take = () => {
        if (this.isAlive) locks.set(name, this);
        resolve(true);
      };
      if (!locks.has(name)) return take();
      if (!wait) return resolve(false);
      const waiting = { name, page: this, take };
      lockQueue.push(waiting);
      this.clock.setTimeout(() => {
        const index = lockQueue.indexOf(waiting);
        if (index < 0) return;
        lockQueue.splice(index, 1);
        resolve(false);
      }, wait);
    });
  }
}
