// One seed: people in tabs, a bad network, and in the end the question whether anything is lost, doubled or different.

import assert from "node:assert/strict";
import { Clock, randomOf } from "./clock.js";
import { History } from "./history.js";
import { Model } from "./model.js";
import { FAIR, Network, STORM, WINDY } from "./network.js";
import { Person, at, seeded } from "./person.js";
import { Browser } from "./platform.js";

/**
 * @typedef {import("./network.js").Weather} Weather
 * @typedef {{ people: number, weather: Weather, asks?: boolean, latency?: number, jumps?: boolean, pageSize?: number, cuts?: boolean, isPatient?: boolean, isNarrow?: boolean, busy?: number }} Kind
 */

/** What a seed is about. @type {{ [name: string]: Kind }} */
export const KINDS = {
  "one tab in a storm": { people: 1, weather: STORM, cuts: true },
  "three patient tabs in the wind": { people: 3, weather: WINDY, isPatient: true, busy: 15_000 },
  "three tabs that all type into one field": { people: 3, weather: { ...WINDY, twice: 0 }, isNarrow: true, busy: 3_000 },
  "two tabs in a storm": { people: 2, weather: STORM, cuts: true },
  "two tabs that ask, in the wind": { people: 2, weather: WINDY, asks: true },
  "two tabs with a slow store": { people: 2, weather: STORM, latency: 60, cuts: true },
  "one tab with a clock that jumps": { people: 1, weather: STORM, jumps: true, cuts: true },
  "three tabs and a list in pages": { people: 3, weather: { ...WINDY, broken: 0.2 }, pageSize: 3 },
  "two tabs that ask, in a storm": { people: 2, weather: STORM, asks: true, cuts: true },
};

const SEEDS = 4;
/** How long people do things, if nobody says otherwise, and how long everything may take to settle. */
const BUSY = 40_000;
const CALM = 300_000;

/** @param {number} seed @param {string} name one of {@link KINDS} */
export async function run(seed, name) {
  const kind = /** @type {Kind} */ (KINDS[name]);
  const random = randomOf(seed);
  const clock = new Clock();
  const model = new Model(() => clock.now);
  for (let n = 1; n <= SEEDS; n += 1) model.stored.set(seeded(n)._id, { document: seeded(n), clocks: new Map() });
  const network = new Network(clock, model, random);
  network.pageSize = kind.pageSize ?? 200;
  network.weather = kind.weather;
  const browser = new Browser(clock, network, seed + 1);
  const { latency = 0, jumps = false, isPatient = false, isNarrow = false, busy = BUSY } = kind;
  if (latency) browser.store.latency = () => random() * latency;
  const history = new History(() => clock.now);
  const how = { options: { account: "me", conflicts: kind.asks ? /** @type {const} */ ("ask") : /** @type {const} */ ("overwrite") }, jumps, risk: latency && 5_000, isPatient, isNarrow };
  const people = Array.from({ length: kind.people }, (_, n) => new Person(`p${n}`, browser, history, random, how));
  const isSaved = () => browser.pages.every(({ board }) => board.state.saving === "saved");

  for (const person of people) live(person, clock.now + busy, random);
  await clock.advance(busy);

  network.weather = FAIR;
  if (kind.cuts) network.cutAll();
  for (const person of people) person.stop();
  // Takes up what tabs left that are gone.
  const last = new Person("janitor", browser, history, random, how);
  people.push(last);
  for (const end = clock.now + CALM; clock.now < end && !(isSaved() && browser.store.kept.size === 0);) {
    await clock.advance(5_000);
    for (const person of people) person.stop();
  }
  await clock.advance(60_000);

  const documents = model.documents();
  for (const { page, name } of people) {
    const { connection, saving, workspaces, loaded, error } = page.board.state;
    assert.deepEqual({ connection, saving, loaded, error }, { connection: "open", saving: "saved", loaded: true, error: null }, `${name}: ${unsaved(page.board)}`);
    assert.deepEqual(comparable(workspaces), comparable(documents), `what ${name} sees is not what the server has`);
    assert.ok(workspaces.every(({ order_index }, index) => index === 0 || /** @type {any} */ (workspaces[index - 1]).order_index <= order_index), `${name}'s order`);
  }
  history.check(documents, Array.from({ length: SEEDS }, (_, n) => `seed${n + 1}`), at);
  assert.deepEqual([...browser.store.kept.entries()], [], "edits were left in the store");
  for (const { page } of people) page.crash();
}

/** @param {Person} person @param {number} end @param {() => number} random */
function live(person, end, random) {
  const { clock } = person.browser;
  const next = () => {
    if (clock.now >= end) return;
    person.act();
    clock.setTimeout(next, 5 + random() ** 2 * 900);
  };
  clock.setTimeout(next, random() * 500);
}

/** What of a workspace all tabs must agree about. @param {readonly import("../../../web/motionboard/types.js").Document[] | readonly import("../../../web/motionboard.js").Workspace[]} workspaces */
function comparable(workspaces) {
  return workspaces.map(({ _id, order_index, form_data, image_path, created_at }) => ({ _id, order_index, form_data, image_path, created_at }))
    .sort((a, b) => (String(a._id) < String(b._id) ? -1 : 1));
}

/** @param {import("../../../web/motionboard.js").Motionboard} board */
function unsaved(board) {
  return JSON.stringify(board.state.workspaces.filter(({ saving }) => saving !== "saved").map(({ key, fields }) => ({ key, fields })));
}
