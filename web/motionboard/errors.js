/** @import { MotionboardError as Written, ErrorCode } from "../motionboard.js" */

export class MotionboardError extends Error {
  /** @param {ErrorCode} code @param {string} message @param {{ status?: number, details?: object, retryAfter?: number }} [more] */
  constructor(code, message, { status = 0, details = {}, retryAfter = 0 } = {}) {
    super(message);
    this.name = "MotionboardError";
    this.code = code;
    this.status = status;
    /** @type {Written["details"]} */
    this.details = { ...details };
    this.retryAfter = retryAfter;
  }
}

/** @param {string} text @returns {any} undefined for what is no JSON */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
