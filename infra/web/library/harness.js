// What nearly every test begins with.

import { Clock } from "./clock.js";
import { Browser } from "./platform.js";
import { Script } from "./server.js";

/**
 * @typedef {import("../../../web/motionboard/types.js").Document} Document
 * @typedef {import("../../../web/motionboard.js").Options} Options
 * @typedef {import("../../../web/motionboard.js").Workspace} Workspace
 * @typedef {import("../../../web/motionboard.js").Motionboard} Motionboard
 */

export const PROMPT = "form_data.motion_prompt";
export const SHOT = "form_data.shot_type";
export const LIGHT = "form_data.lighting";

/** The id of the nth workspace. @param {number} n */
export const id = (n) => n.toString(16).padStart(24, "0");

/** @param {number} at */
export const iso = (at) => new Date(at).toISOString();

/** Before all tests' time. */
export const PAST = Date.UTC(2025, 11, 24);

/** The nth workspace of a board. @param {number} n @param {Partial<Document>} [more] @returns {Document} */
export const document = (n, more = {}) => ({
  _id: id(n), order_index: n, image_path: null, image_url: null,
  form_data: { camera_movement: "", shot_type: "", lighting: "", motion_prompt: "", checkboxes: {} },
  video: { status: "pending", task_id: null, url: null, error: null, history: [] },
  ai_collaboration: [], created_at: iso(PAST + n), updated_at: iso(PAST + n), ...more,
});

/** The same with other words in its form. @param {Document} base @param {object} form @param {number} at @returns {Document} */
export const changed = (base, form, at) => ({ ...base, form_data: { ...base.form_data, ...form }, updated_at: iso(at) });

/** A world with one page in it, not opened yet. @param {{ workspaces?: Document[], options?: Options }} [how] */
export function prepare({ workspaces = [document(1)], options = {} } = {}) {
  const clock = new Clock();
  const server = new Script(clock);
  server.workspaces = workspaces;
  const browser = new Browser(clock, server);
  const page = browser.page(options);
  return { clock, server, browser, page, board: page.board };
}

/** The same, opened. @param {{ workspaces?: Document[], options?: Options }} [how] */
export async function start(how) {
  const world = prepare(how);
  await world.page.open();
  return world;
}

/** What a board shows at a path. @param {Motionboard} board @param {string} path @param {string} [workspace] @returns {unknown} */
export function shown(board, path, workspace = id(1)) {
  /** @type {unknown} */
  let value = board.workspace(workspace);
  for (const name of path.split(".")) value = /** @type {any} */ (value)?.[name];
  return value;
}

/** A JWT that nobody signed. @param {object} claims */
export function jwt(claims) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.x`;
}

/** What happens to a promise, without waiting for it. @template T @param {Promise<T>} promise */
export function watch(promise) {
  /** @type {{ state: "pending" | "fulfilled" | "rejected", value: T | undefined, error: any }} */
  const seen = { state: "pending", value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(seen, { state: "fulfilled", value }),
    (error) => Object.assign(seen, { state: "rejected", error }),
  );
  return seen;
}
