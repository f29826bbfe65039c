// What lies between pages and the model: it delays, drops, repeats and reorders, cuts connections with and without a word, and heals.

/**
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./platform.js").Server} Server
 */

/**
 * How bad it is; all are chances but `delay`.
 * @typedef {object} Weather
 * @property {number} delay the longest, ms
 * @property {number} lost a frame, an answer or a push does not arrive
 * @property {number} twice it arrives twice
 * @property {number} cut a frame cuts its connection
 * @property {number} mute a frame makes its connection say nothing any more, without ending it
 * @property {number} refuse a handshake fails
 * @property {number} broken a request fails
 */

/** @type {Weather} */
export const FAIR = { delay: 40, lost: 0, twice: 0, cut: 0, mute: 0, refuse: 0, broken: 0 };
/** Nothing is lost, but everything overtakes everything. @type {Weather} */
export const WINDY = { ...FAIR, delay: 700, twice: 0.1 };
/** @type {Weather} */
export const STORM = { delay: 1_500, lost: 0.15, twice: 0.1, cut: 0.04, mute: 0.01, refuse: 0.3, broken: 0.3 };

/** @implements {Server} */
export class Network {
  weather = FAIR;
  /** Of a list; the rest comes by cursors. */
  pageSize = 200;
  /** @type {Set<Wire>} what the server knows as open */
  #connections = new Set();
  /** @type {Set<Wire>} */
  #mute = new Set();
  #clock;
  #model;
  #random;

  /** @param {Clock} clock @param {Model} model @param {() => number} random */
  constructor(clock, model, random) {
    this.#clock = clock;
    this.#model = model;
    this.#random = random;
  }

  /** @param {number} chance */
  #happens(chance) {
    return this.#random() < chance;
  }

  /** After some time, if it isn't lost, and perhaps twice. @param {() => void} deliver */
  #carry(deliver) {
    if (this.#happens(this.weather.lost)) return false;
    for (let times = this.#happens(this.weather.twice) ? 2 : 1; times > 0; times -= 1) {
      // Mostly fast, sometimes slow.
      const slowness = this.#random() ** 3;
      this.#clock.setTimeout(deliver, 1 + slowness * this.weather.delay);
    }
    return true;
  }

  /** @param {Wire} wire @param {object} message */
  #say(wire, message) {
    if (!this.#mute.has(wire)) this.#carry(() => wire.say(message));
  }

  /** Ends all connections, as a server does that is deployed anew. */
  cutAll() {
    for (const wire of [...this.#connections]) this.#cut(wire);
  }

  /** @param {Wire} wire */
  #cut(wire) {
    this.#connections.delete(wire);
    wire.cut();
  }

  // ------------------------------------------------------------------------------------------------ the platform's side

  /** @param {Wire} wire */
  connect(wire) {
    const isRefused = this.#happens(this.weather.refuse);
    this.#clock.setTimeout(() => {
      if (isRefused) return this.#cut(wire);
      if (wire.state !== "connecting") return;
      this.#connections.add(wire);
      wire.accept();
    }, 1 + this.#random() * this.weather.delay);
  }

  /** @param {Wire} wire @param {string} text */
  receive(wire, text) {
    if (this.#happens(this.weather.mute)) this.#mute.add(wire);
    if (this.#happens(this.weather.cut)) return this.#cut(wire);
    const hasArrived = this.#carry(() => this.#handle(wire, JSON.parse(text)));
    // The function died.
    if (!hasArrived && this.#happens(0.5)) this.#say(wire, { message: "Internal server error", connectionId: "c", requestId: "r" });
  }

  /** @param {Wire} wire @param {any} frame */
  #handle(wire, frame) {
    const timestamp = Math.floor(this.#clock.now);
    if (frame.type === "ping") return this.#say(wire, { type: "pong", data: {}, timestamp });
    if (this.#happens(this.weather.broken / 5)) {
      return this.#say(wire, { type: "error", data: { code: "DB_ERROR", message: "错误", context: {} }, timestamp, request_id: frame.request_id });
    }
    const { answer, pushes } = this.#model.handle(frame);
    this.#say(wire, { ...answer, timestamp, request_id: frame.request_id });
    for (const push of pushes) {
      for (const other of this.#connections) if (other !== wire) this.#say(other, { ...push, timestamp });
    }
  }

  /** @param {Wire} wire */
  gone(wire) {
    this.#connections.delete(wire);
  }

  /** @param {string} url @returns {Promise<Response>} */
  async fetch(url) {
    await this.#clock.after(1 + this.#random() * this.weather.delay);
    if (this.#happens(this.weather.broken)) throw new TypeError("fetch failed");
    if (this.#happens(this.weather.broken / 2)) return new Response('{"message":"Service Unavailable"}', { status: 503 });
    const data = this.#model.list(new URL(url).searchParams.get("cursor"), this.pageSize);
    await this.#clock.after(1 + this.#random() * this.weather.delay);
    if (this.#happens(this.weather.broken)) throw new TypeError("fetch failed");
    return new Response(JSON.stringify({ success: true, data }));
  }

  /** @returns {Promise<never>} */
  async upload() {
    throw new Error("nobody uploads here");
  }
}
