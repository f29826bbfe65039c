// Dotted paths. Names come from outside and may be `__proto__` or `constructor`: only own members are read, and what is
// written is never assigned to an existing object.
/** @import { FormLeaf, FormValue } from "../motionboard.js" */
/** @import { Leaves } from "./types.js" */

/** @param {unknown} value @returns {value is { [name: string]: FormValue }} */
const isBranch = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Updates with objects spelt out as their leaves (contract §3). @param {{ [path: string]: FormValue }} updates @returns {Leaves} */
export const leaves = (updates) => Object.fromEntries(Object.entries(updates).flatMap(([path, value]) => spell(path, value)));

/** @param {string} path @param {FormValue} value @returns {Array<[string, FormLeaf]>} */
function spell(path, value) {
  if (!isBranch(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, child]) => spell(`${path}.${name}`, child));
}

/** Whether one path is above the other, so that they can't be in one frame. @param {string} a @param {string} b */
export const isRelated = (a, b) => a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

/** @param {object | undefined} document @param {string} path @returns {FormLeaf} null for what isn't there */
export function read(document, path) {
  /** @type {unknown} */
  let value = document;
  for (const name of path.split(".")) value = isBranch(value) && Object.hasOwn(value, name) ? value[name] : null;
  return /** @type {FormLeaf} */ (value);
}

/**
 * A document with one more value; what does not change is the same object as before.
 * @template {object} T @param {T} document @param {string} path @param {FormLeaf} value @returns {T}
 */
export const write = (document, path, value) => /** @type {T} */ (written(document, path.split("."), value));

/** @param {unknown} branch @param {string[]} names @param {FormLeaf} value @returns {unknown} */
function written(branch, [name = "", ...rest], value) {
  const members = isBranch(branch) ? branch : {};
  const child = Object.hasOwn(members, name) ? members[name] : undefined;
  const next = rest.length ? written(child, rest, value) : value;
  return isSame(child, next) ? branch : { ...members, [name]: next };
}

/** Whether two leaves are the same. @param {unknown} a @param {unknown} b */
export const isSame = (a, b) => Object.is(a, b) || (Array.isArray(a) && Array.isArray(b) && JSON.stringify(a) === JSON.stringify(b));
