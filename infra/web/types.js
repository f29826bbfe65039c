// Holds the hand-written types to the library: tsc fails here where they say another thing than the code.

import * as written from "../../web/motionboard.js";
import { makeBoard } from "../../web/motionboard/board.js";
import { IMAGE_TYPES, MAX_IMAGE_BYTES, MotionboardError } from "../../web/motionboard/wire.js";

/** @type {(options: import("../../web/motionboard.js").Options, platform: import("../../web/motionboard/types.js").Platform) => written.Motionboard} */
export const board = makeBoard;

/** @type {Pick<typeof written, "MotionboardError" | "MAX_IMAGE_BYTES" | "IMAGE_TYPES">} */
export const rest = { MotionboardError, MAX_IMAGE_BYTES, IMAGE_TYPES };
