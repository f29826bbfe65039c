// Somebody at a tab: types, makes, removes, moves, reloads, and notes what must be true of it in the end.

import { document } from "./harness.js";
import { Tab } from "./platform.js";

/**
 * @typedef {import("./platform.js").Browser} Browser
 * @typedef {import("./platform.js").Page} Page
 * @typedef {import("../../../web/motionboard.js").Workspace} Workspace
 * @typedef {import("../../../web/motionboard.js").Options} Options
 * @typedef {import("./history.js").History} History
 */

/** Where a workspace's name is, by which the test knows it. */
export const TAG = "form_data.tag";
const PATHS = ["form_data.motion_prompt", "form_data.shot_type", "form_data.lighting", "form_data.checkboxes.a", "form_data.checkboxes.b", "form_data.deep.er"];
/** Of a person's actions, how often each. */
const ACTIONS = /** @type {const} */ ([
  ["type", 46], ["create", 6], ["remove", 4], ["move", 6], ["hold", 5], ["resolve", 8], ["jump", 1], ["rest", 8], ["crash", 4], ["reload", 5],
  ["replace", 2], ["duplicate", 1], ["hide", 4], ["switch", 3], ["refresh", 2],
]);
/** After these the list is loaded, which sets everything right: a patient person shows what pushes and answers alone come to. */
const IMPATIENT = ["move", "crash", "reload", "replace", "duplicate", "hide", "switch", "refresh"];

/** @param {Workspace | undefined} workspace */
export const tagOf = (workspace) => String(workspace?.form_data["tag"] ?? "");

/** @param {object | undefined} value @param {string} path @returns {unknown} */
export const at = (value, path) => path.split(".").reduce((/** @type {any} */ inner, name) => inner?.[name], value);

export class Person {
  /** @type {Page} */
  page;
  /** @type {Array<() => void>} */
  #releases = [];
  #isHidden = false;

  /**
   * @param {string} name @param {Browser} browser @param {History} history @param {() => number} random
   * @param {{ options: Options, jumps: boolean, risk: number, isPatient: boolean, isNarrow: boolean }} how `risk`: how long
   *   an edit may take to be kept; `isNarrow`: all type into the same field, and do nothing else
   * @param {Tab} [tab]
   */
  constructor(name, browser, history, random, how, tab = new Tab()) {
    this.name = name;
    this.browser = browser;
    this.history = history;
    this.random = random;
    this.how = how;
    this.page = this.#open(tab);
  }

  /** @param {Tab} tab */
  #open(tab) {
    const page = this.browser.page(this.how.options, tab);
    page.board.on("lost", ({ workspace, updates }) => this.history.lost(workspace._id, updates));
    this.#releases = [];
    this.#isHidden = false;
    void page.open();
    return page;
  }

  /** Ends the page, and opens another in the same tab, or in another. @param {"crash" | "close"} how @param {Tab} tab */
  #again(how, tab) {
    const { skew } = this.page;
    this.page[how]();
    if (this.how.risk) this.history.atRisk(this.name, this.browser.clock.now - this.how.risk);
    // Another tab is another client: the contract orders only what is one client's.
    if (tab !== this.page.tab) this.name += "'";
    this.page = this.#open(tab);
    this.page.skew = skew;
  }

  /** @template T @param {readonly T[]} items @returns {T | undefined} */
  #any(items) {
    return items[Math.floor(this.random() * items.length)];
  }

  /** One that has a name. */
  #workspace() {
    return this.#any(this.page.board.state.workspaces.filter((workspace) => tagOf(workspace)));
  }

  /** Does something. */
  act() {
    if (this.how.isNarrow) return this.isReady && this.#type(PATHS.slice(0, 1), 0.7);
    const actions = ACTIONS.filter(([name]) => !this.how.isPatient || !IMPATIENT.includes(name) || this.random() < 0.05);
    let left = this.random() * actions.reduce((sum, [, weight]) => sum + weight, 0);
    const [action] = actions.find(([, weight]) => (left -= weight) < 0) ?? ACTIONS[0];
    this.#do(action);
  }

  /** @param {typeof ACTIONS[number][0]} action */
  #do(action) {
    const { board } = this.page;
    if (!this.isReady) return;
    if (action === "type") this.#type();
    else if (action === "create") this.#create();
    else if (action === "remove") this.#remove();
    else if (action === "move") this.#move();
    else if (action === "hold") this.#hold();
    else if (action === "hide") this.#hide();
    else if (action === "crash") this.#again("crash", this.page.tab);
    else if (action === "reload") this.#again("close", this.page.tab);
    else if (action === "replace") {
      this.#again(this.random() < 0.5 ? "crash" : "close", new Tab());
    } else if (action === "duplicate") this.#again("crash", this.page.tab.duplicate());
    else if (action === "switch") this.page.fire(this.random() < 0.5 ? "offline" : "online");
    else if (action === "refresh") void board.refresh();
    else if (action === "resolve") this.#resolve(this.random() < 0.7 ? "mine" : "theirs");
    else if (action === "jump" && this.how.jumps) this.page.skew = Math.round((this.random() - 0.5) * 1_800_000);
  }

  /** Whether the board can be used. */
  get isReady() {
    return this.page.board.state.connection !== "closed";
  }

  /** @param {string[]} paths @param {number} haste how often it is sent at once */
  #type(paths = PATHS, haste = 0.2) {
    const workspace = this.#workspace();
    const path = this.#any(paths);
    if (!workspace || !path) return;
    const value = this.history.value();
    const more = this.random() < 0.3 ? this.#any(paths) ?? path : path;
    this.page.board.edit(workspace.key, { [path]: value, [more]: value }, { now: this.random() < haste });
    for (const each of new Set([path, more])) this.history.typed(this.name, tagOf(workspace), each, value);
  }

  #create() {
    const { board } = this.page;
    if (board.state.workspaces.length > 12) return;
    const tag = this.history.value();
    const key = board.create(this.random() < 0.2 ? { order_index: Math.floor(this.random() * 10) } : {});
    board.edit(key, { [TAG]: tag });
    this.history.created(this.name, tag);
  }

  #remove() {
    const workspace = this.#workspace();
    if (!workspace || this.page.board.state.workspaces.length < 3) return;
    const delay = this.random() < 0.5 ? 2_000 : 0;
    const undo = this.page.board.remove(workspace._id ?? workspace.key, { delay });
    const removal = this.history.removed(this.name, tagOf(workspace));
    if (!delay || this.random() < 0.3) return;
    const { page } = this;
    this.browser.clock.setTimeout(() => {
      if (page.isAlive && undo()) removal.undoneAt = this.browser.clock.now;
    }, this.random() * 2_500);
  }

  #move() {
    const { board } = this.page;
    const moved = this.#workspace();
    const before = this.random() < 0.2 ? undefined : this.#workspace();
    if (!moved || moved === before) return;
    const places = new Map(board.state.workspaces.map(({ key, order_index }) => [key, order_index]));
    board.move(moved.key, before?.key ?? null);
    for (const workspace of board.state.workspaces) {
      const place = workspace.order_index;
      const tag = tagOf(workspace);
      // Where it is already, or while a list shows what was made here beside the maker's own: the server may be told either.
      const isUnsure = places.get(workspace.key) === place || board.state.workspaces.filter((other) => tagOf(other) === tag).length > 1;
      if (places.get(workspace.key) !== place || !workspace._id || workspace.key === moved.key) {
        this.history.typed(this.name, tag || String(workspace._id), "@place", place, isUnsure);
      }
    }
  }

  #hold() {
    const workspace = this.#workspace();
    const path = this.#any(PATHS);
    const release = this.#releases.pop();
    if (release) release();
    else if (workspace && path) this.#releases.push(this.page.board.hold(workspace.key, path));
  }

  #hide() {
    this.#isHidden = !this.#isHidden;
    this.page.fire(this.#isHidden ? "hidden" : "shown");
  }

  /** @param {"mine" | "theirs"} keep */
  #resolve(keep) {
    for (const workspace of this.page.board.state.workspaces) {
      for (const [path, { state }] of Object.entries(workspace.fields)) {
        if (state !== "conflict") continue;
        this.page.board.resolve(workspace.key, path, keep);
        if (keep === "theirs") this.history.withdrawn(tagOf(workspace) || String(workspace._id), path);
      }
    }
  }

  /** Lets go of everything, as a person who stops. */
  stop() {
    for (const release of this.#releases.splice(0)) release();
    if (this.page.board.state.connection === "offline") this.page.fire("online");
    this.#resolve("mine");
  }
}

/** What is on the board before anybody does anything. @param {number} n */
export const seeded = (n) => document(n, { form_data: { ...document(n).form_data, tag: `seed${n}` } });
