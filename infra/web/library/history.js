// What people did, and what must be true of the server's board because of it. Contract §3: of one client's edits of a path the newest
// wins; between clients the last to arrive does. So the end is somebody's last edit.

import assert from "node:assert/strict";

/**
 * @typedef {import("../../../web/motionboard/types.js").Document} Document
 * @typedef {{ at: number, value: unknown, isRisky: boolean }} Edit
 * @typedef {{ name: string, at: number, isRisky: boolean, undoneAt: number | null }} Deed
 */

export class History {
  #count = 0;
  /** By tag (or id) and path, and person. @type {Map<string, Map<string, Edit[]>>} */
  #edits = new Map();
  /** @type {Set<string>} by tag and path */
  #withdrawn = new Set();
  /** @type {Map<string, Deed>} by tag */
  #creations = new Map();
  /** @type {Map<string, Deed[]>} by tag */
  #removals = new Map();
  /** @type {Array<{ id: string | null, updates: object }>} */
  #lost = [];
  #now;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
  }

  /** Nobody typed it before. */
  value() {
    return `v${(this.#count += 1)}`;
  }

  /** @param {string} name @param {string} tag or its id, where it has no name yet @param {string} path @param {unknown} value @param {boolean} [isRisky] */
  typed(name, tag, path, value, isRisky = false) {
    const key = `${tag} ${path}`;
    const people = this.#edits.get(key) ?? new Map();
    this.#edits.set(key, people);
    people.set(name, [...people.get(name) ?? [], { at: this.#now(), value, isRisky }]);
  }

  /** Somebody let another's value stand, whosever that is: of this path nothing is known any more. @param {string} tag @param {string} path */
  withdrawn(tag, path) {
    this.#withdrawn.add(`${tag} ${path}`);
  }

  /** @param {string} name @param {string} tag */
  created(name, tag) {
    this.#creations.set(tag, { name, at: this.#now(), isRisky: false, undoneAt: null });
  }

  /** @param {string} name @param {string} tag @returns {Deed} */
  removed(name, tag) {
    const deed = { name, at: this.#now(), isRisky: false, undoneAt: null };
    this.#removals.set(tag, [...this.#removals.get(tag) ?? [], deed]);
    return deed;
  }

  /** What somebody did since then may not have been kept. @param {string} name @param {number} since */
  atRisk(name, since) {
    for (const people of this.#edits.values()) for (const edit of people.get(name) ?? []) edit.isRisky ||= edit.at >= since;
    for (const deed of [...this.#creations.values(), ...[...this.#removals.values()].flat()]) deed.isRisky ||= deed.name === name && (deed.undoneAt ?? deed.at) >= since;
  }

  /** @param {string | null} id @param {object} updates */
  lost(id, updates) {
    this.#lost.push({ id, updates });
  }

  /**
   * Whether the board is what it must be.
   * @param {Document[]} documents @param {string[]} seeds the tags that there were before @param {(document: object, path: string) => unknown} read
   */
  check(documents, seeds, read) {
    const tags = documents.map(({ form_data }) => String(form_data["tag"] ?? ""));
    const named = tags.filter((tag) => tag);
    assert.equal(new Set(named).size, named.length, `a workspace was made twice: ${tags}`);
    for (const tag of tags) assert.ok(seeds.includes(tag) || this.#creations.has(tag) || (tag === "" && this.#isAnyCreationRisky), `nobody made ${tag || "a workspace without name"}`);
    for (const tag of [...seeds, ...this.#creations.keys()]) {
      const removals = (this.#removals.get(tag) ?? []).filter(({ undoneAt, isRisky }) => undoneAt === null || isRisky);
      if (removals.some(({ isRisky }) => !isRisky)) assert.ok(!tags.includes(tag), `${tag} was removed, and is there`);
      else if (!removals.length && !this.#creations.get(tag)?.isRisky) assert.ok(tags.includes(tag), `${tag} is missing`);
    }
    for (const { id, updates } of this.#lost) {
      assert.ok(!documents.some(({ _id }) => _id === id), `${id} was said to be lost, with ${JSON.stringify(updates)}, and is there`);
    }
    const paths = new Set([...this.#edits.keys()].map((key) => key.split(" ")[1] ?? ""));
    for (const document of documents) {
      for (const path of paths) this.#checkPath(document, path, path === "@place" ? document.order_index : read(document, path));
    }
  }

  get #isAnyCreationRisky() {
    return [...this.#creations.values()].some(({ isRisky }) => isRisky);
  }

  /** Everybody's edits of a path. @param {Document} document @param {string} path @returns {Edit[][]} */
  #editsOf({ _id, form_data }, path) {
    return [form_data["tag"], _id].flatMap((name) => [...this.#edits.get(`${name} ${path}`)?.values() ?? []]);
  }

  /** @param {Document} document @param {string} path @param {unknown} value */
  #checkPath(document, path, value) {
    const edits = this.#editsOf(document, path);
    if (!edits.length || [document.form_data["tag"], document._id].some((name) => this.#withdrawn.has(`${name} ${path}`))) return;
    const wanted = edits.flatMap((own) => {
      const lastSure = own.findLastIndex(({ isRisky }) => !isRisky);
      return own.slice(Math.max(0, lastSure)).map((edit) => edit.value);
    });
    const isAllRisky = edits.every((own) => own.every(({ isRisky }) => isRisky));
    assert.ok(isAllRisky || wanted.includes(value), `${document.form_data["tag"]} ${path} is ${value}, and not ${wanted.join(" or ")}`);
  }
}
