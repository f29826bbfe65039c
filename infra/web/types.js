// Holds the hand-written types to the library: tsc fails here where they say another thing than the code.

import * as written from "../../web/motionboard.js";
import { Board } from "../../web/motionboard/board.js";
import * as errors from "../../web/motionboard/errors.js";
import * as upload from "../../web/motionboard/rest.js";

/** @type {Pick<written.Motionboard, Exclude<keyof written.Motionboard, never>>} */
export const board = /** @type {Board} */ ({});

/** @type {Pick<typeof written, "MotionboardError" | "MAX_IMAGE_BYTES" | "IMAGE_TYPES">} */
export const rest = { ...errors, ...upload };
