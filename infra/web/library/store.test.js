import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, id, prepare, shown, start } from "./harness.js";

test("a store that fails is told by an `error` event, and the page goes on: edits are shown and sent", async () => {
  const { clock, server, browser, board } = await start();
  /** @type {any[]} */
  const errors = [];
  board.on("error", (error) => errors.push(error));
  browser.store.isBroken = true;
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.advance(300);
  assert.ok(errors.length >= 1);
  assert.ok(errors.every((error) => typeof error.code === "string"));
  server.confirm(server.one(), clock.now);
  assert.equal(shown(board, PROMPT), "a");
  assert.equal(board.state.saving, "saved");
});

test("a store that can't be read at the beginning is told, and the board opens", async () => {
  const { browser, page, board } = prepare();
  /** @type {unknown[]} */
  const errors = [];
  board.on("error", (error) => errors.push(error));
  browser.store.isBroken = true;
  await page.open();
  assert.ok(errors.length >= 1);
  assert.equal(board.state.connection, "open");
  assert.equal(board.state.loaded, true);
});

test("a store that works again keeps what comes then", async () => {
  const { clock, server, browser, page, board } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  browser.store.isBroken = true;
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.advance(100);
  browser.store.isBroken = false;
  board.edit(id(1), { [LIGHT]: "b" });
  await clock.advance(1_000);
  page.crash();
  const next = page.successor();
  await next.open();
  assert.equal(next.board.workspace(id(1))?.fields[LIGHT]?.state, "saving");
  assert.equal(next.board.workspace(id(1))?.fields[PROMPT]?.state, "saving");
});

test("what is in the store and no edit of this library doesn't keep the board from opening", async () => {
  const { browser, page, board, server, clock } = prepare();
  for (const [key, value] of /** @type {Array<[string, unknown]>} */ ([["", 1], ["x|frame|1", null], ["https://page.example/ |frame|1", { strange: true }], ["https://page.example/ |draft|c|w", "text"]])) {
    browser.store.kept.set(key, value);
  }
  await page.open();
  assert.equal(board.state.connection, "open");
  assert.equal(board.state.workspaces.length, 1);
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.advance(300);
  assert.ok(server.take().some(({ data }) => data?.updates?.[PROMPT] === "a"));
});

test("a tab that may remember nothing of its own works, as a new client each time", async () => {
  const { page, board, clock, server } = prepare();
  page.tab.text = "{not json";
  await page.open();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  assert.ok(server.one().client_id);
  page.crash();
  const next = page.successor();
  page.tab.text = null;
  await next.open();
  await clock.advance(100);
  assert.equal(next.board.state.connection, "open");
});

test("a slow store delays neither the screen nor the sending", async () => {
  const { clock, server, browser, board } = await start();
  browser.store.latency = () => 5_000;
  board.edit(id(1), { [PROMPT]: "a" });
  assert.equal(shown(board, PROMPT), "a");
  await clock.advance(300);
  server.confirm(server.one(), clock.now);
  assert.equal(board.state.saving, "saved");
});

test("many keystrokes while the store is slow are few transactions, and the last one holds all", async () => {
  const { clock, browser, board, server } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  browser.store.latency = () => 200;
  for (let n = 0; n < 50; n += 1) {
    board.edit(id(1), { [PROMPT]: `${n}` });
    await clock.advance(20);
  }
  await clock.advance(2_000);
  assert.ok(browser.store.writes.length < 15, `${browser.store.writes.length}`);
  assert.match(JSON.stringify(browser.store.find("draft")), /"49"/);
});
