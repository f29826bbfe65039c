// Virtual time: nothing in these tests waits for the real one. Timers run in the order of their moments, and between two of them
// everything that was promised happens.

/** @typedef {{ at: number, order: number, callback: () => void, isDone: boolean }} Timer */

/** A random generator of its own, the same each time for the same seed (mulberry32). @param {number} seed @returns {() => number} */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Clock {
  now = Date.UTC(2026, 0, 1);
  #order = 0;
  /** @type {Timer[]} the soonest last */
  #timers = [];

  /** What is no time is almost none, as in browsers. @param {() => void} callback @param {number} ms @returns {Timer} */
  setTimeout(callback, ms) {
    const timer = { at: this.now + (Number.isNaN(ms) ? 4 : Math.max(0, ms)), order: (this.#order += 1), callback, isDone: false };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {Timer} */ (this.#timers[middle]).at > timer.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  /** @param {unknown} timer */
  clearTimeout(timer) {
    if (timer) /** @type {Timer} */ (timer).isDone = true;
  }

  /** @param {number} ms @param {() => void} callback @returns {() => void} ends it */
  every(ms, callback) {
    let timer = this.setTimeout(tick, ms);
    const next = () => {
      timer = this.setTimeout(tick, ms);
    };
    function tick() {
      next();
      callback();
    }
    return () => this.clearTimeout(timer);
  }

  /** @param {number} ms @returns {Promise<void>} */
  after(ms) {
    return new Promise((resolve) => void this.setTimeout(resolve, ms));
  }

  /** Lets happen what needs no time. */
  async settle() {
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
    await this.advance(0);
  }

  /** @param {number} ms */
  async advance(ms) {
    await this.until(() => false, ms);
  }

  /**
   * Advances, timer by timer, until something is true.
   * @param {() => boolean} condition @param {number} [limit] of virtual time
   * @returns {Promise<boolean>} whether it became true
   */
  async until(condition, limit = 60_000) {
    const end = this.now + limit;
    for (;;) {
      await new Promise((resolve) => void setImmediate(resolve));
      if (condition()) return true;
      const timer = this.#timers.at(-1);
      if (!timer || timer.at > end) break;
      this.#timers.pop();
      if (timer.isDone) continue;
      this.now = Math.max(this.now, timer.at);
      timer.isDone = true;
      timer.callback();
    }
    this.now = end;
    return false;
  }

  /** Waits in real time for what Node does outside of JavaScript, such as reading a Blob. @param {() => boolean} condition */
  async real(condition) {
    for (let turn = 0; turn < 5_000 && !condition(); turn += 1) await this.settle();
  }
}
