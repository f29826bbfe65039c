import { makeBoard } from "./motionboard/board.js";
import { browser } from "./motionboard/browser.js";

export { MotionboardError } from "./motionboard/errors.js";
export { IMAGE_TYPES, MAX_IMAGE_BYTES } from "./motionboard/wire.js";

export class Motionboard {
  /** @param {import("./motionboard.js").Options} [options] */
  constructor(options = {}) {
    return makeBoard(options, browser());
  }
}
