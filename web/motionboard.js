import { makeBoard } from "./motionboard/board.js";
import { browser } from "./motionboard/browser.js";

export { IMAGE_TYPES, MAX_IMAGE_BYTES, MotionboardError } from "./motionboard/wire.js";

export class Motionboard {
  /** @param {import("./motionboard.js").Options} [options] */
  constructor(options = {}) {
    return makeBoard(options, browser());
  }
}
