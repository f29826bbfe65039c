/** @typedef {import("./clock.js").Clock} Clock */

/** IndexedDB in memory: transactions in the order of their calls, as slow as a test wants, and failing if it wants. */
export class MemoryStore {
  /** @type {Map<string, unknown>} what is kept */
  kept = new Map();
  /** How long the next transactions take, in virtual ms. */
  latency = () => 0;
  /** How long after a reading what was read is delivered. */
  delivery = 0;
  /** Whether the next ones fail. */
  isBroken = false;
  /** Transactions under way. */
  pending = 0;
  /** @type {Array<Array<[string, unknown]>>} every transaction that was written */
  writes = [];
  #clock;
  #free = 0;

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @returns {Promise<Array<[string, unknown]>>} */
  async all() {
    await this.#turn();
    if (this.isBroken) throw new Error("the store is broken");
    /** @type {Array<[string, unknown]>} */
    const read = [...this.kept].map(([key, value]) => [key, structuredClone(value)]);
    if (this.delivery) await this.#clock.after(this.delivery);
    return read;
  }

  /**
   * @param {Array<[string, unknown]>} changes
   * @param {() => boolean} [isWanted] whether who wrote is still there when it is done: a transaction dies with its page
   */
  async write(changes, isWanted = () => true) {
    const copies = structuredClone(changes);
    this.pending += 1;
    await this.#turn();
    this.pending -= 1;
    if (this.isBroken) throw new Error("the store is broken");
    if (!isWanted()) return;
    this.writes.push(copies);
    for (const [key, value] of copies) value === undefined ? this.kept.delete(key) : this.kept.set(key, value);
  }

  /** What is kept under keys with such a part. @param {string} part */
  find(part) {
    return [...this.kept].filter(([key]) => key.includes(part)).map(([, value]) => value);
  }

  /** One after the other; without latency, at once. */
  async #turn() {
    const now = this.#clock.now;
    this.#free = Math.max(this.#free, now + this.latency());
    if (this.#free > now) await this.#clock.after(this.#free - now);
  }
}
