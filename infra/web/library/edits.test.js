import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, SHOT, document, id, shown, start } from "./harness.js";

test("an edit is shown at once, sent 300 ms after the last keystroke, and saved when the server says so", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" });
  assert.equal(shown(board, PROMPT), "a");
  assert.deepEqual(shown(board, "fields"), { [PROMPT]: { state: "saving", error: null } });
  await clock.advance(299);
  board.edit(id(1), { [PROMPT]: "ab" });
  await clock.advance(299);
  assert.equal(server.take().length, 0);
  await clock.advance(1);
  const frame = server.one();
  assert.equal(frame.type, "workspace.update");
  assert.deepEqual(frame.data, { workspace_id: id(1), updates: { [PROMPT]: "ab" } });
  assert.equal(board.state.saving, "saving");
  server.confirm(frame);
  assert.equal(board.state.saving, "saved");
  assert.deepEqual(shown(board, "fields"), {});
  assert.equal(shown(board, PROMPT), "ab");
});

test("a frame has the members of the contract, and no others", async () => {
  const { server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const { text } = server.one();
  assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ["client_id", "data", "request_id", "timestamp", "type"]);
});

test("with `now` an edit is sent at once, with what was typed before it", async () => {
  const { server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" });
  board.edit(id(1), { [SHOT]: "b" }, { now: true });
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "a", [SHOT]: "b" });
});

test("a moment's edits are one frame for each workspace", async () => {
  const { clock, server, board } = await start({ workspaces: [document(1), document(2)] });
  board.edit(id(1), { [PROMPT]: "a" });
  board.edit(id(2), { [PROMPT]: "b" });
  board.edit(id(1), { [SHOT]: "c", "form_data.checkboxes": { x: true, y: false } });
  await clock.advance(300);
  const sent = server.sent().sort((a, b) => (a.workspace_id < b.workspace_id ? -1 : 1));
  assert.deepEqual(sent, [
    { workspace_id: id(1), updates: { [PROMPT]: "a", [SHOT]: "c", "form_data.checkboxes.x": true, "form_data.checkboxes.y": false } },
    { workspace_id: id(2), updates: { [PROMPT]: "b" } },
  ]);
});

test("typing in one workspace doesn't delay another's edits", async () => {
  const { clock, server, board } = await start({ workspaces: [document(1), document(2)] });
  board.edit(id(1), { [PROMPT]: "a" });
  for (let n = 0; n < 5; n += 1) {
    board.edit(id(2), { [PROMPT]: `${n}` });
    await clock.advance(100);
  }
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [PROMPT]: "a" } }]);
});

test("what doesn't fit into one frame is split, each below 32 KiB in UTF-8, and nothing is missing", async () => {
  const { clock, server, board } = await start();
  /** @type {{ [path: string]: string }} */
  const updates = {};
  for (let n = 0; n < 40; n += 1) updates[`form_data.note_${n}`] = "字".repeat(600) + n;
  board.edit(id(1), updates);
  await clock.advance(300);
  const frames = server.take();
  assert.ok(frames.length >= 3);
  for (const { text } of frames) assert.ok(Buffer.byteLength(text) < 32 * 1024, `${Buffer.byteLength(text)}`);
  assert.deepEqual(Object.assign({}, ...frames.map(({ data }) => data.updates)), updates);
  assert.ok(new Set(frames.map(({ timestamp }) => timestamp)).size === frames.length);
});

test("an edit just small enough goes, and one that no frame takes is refused before it is shown", async () => {
  const { server, board } = await start();
  const fits = "x".repeat(32 * 1024 - 512 - 30);
  board.edit(id(1), { "form_data.long": fits }, { now: true });
  assert.ok(Buffer.byteLength(server.one().text) < 32 * 1024);
  assert.throws(() => board.edit(id(1), { "form_data.long": "字".repeat(11_000) }), (error) => /** @type {any} */ (error).code === "INVALID_DATA");
  assert.equal(shown(board, "form_data.long"), fits);
});

test("escapes count: a value that is small in memory and large as JSON doesn't make a frame over 32 KiB", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { "form_data.a": "\u0001".repeat(4_000), "form_data.b": '"'.repeat(8_000) });
  await clock.advance(300);
  const frames = server.take();
  assert.ok(frames.length >= 2);
  for (const { text } of frames) assert.ok(Buffer.byteLength(text) < 32 * 1024);
});

test("what was typed is flushed when the page is hidden, and when it is left", async () => {
  const { server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" });
  page.fire("hidden");
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [PROMPT]: "a" } }]);
  board.edit(id(1), { [PROMPT]: "b" });
  page.close();
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [PROMPT]: "b" } }]);
});

test("`close()` sends what was typed, and keeps it until it is acknowledged", async () => {
  const { clock, server, browser, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" });
  board.close();
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [PROMPT]: "a" } }]);
  await clock.settle();
  assert.equal(browser.store.find("frame").length, 1);
});

test("no frame has an object's path beside one of its children", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { "form_data.extra.a": 1 });
  board.edit(id(1), { "form_data.extra": { b: 2 } });
  board.edit(id(1), { "form_data.other": 1 });
  board.edit(id(1), { "form_data.other.below": 2 });
  await clock.advance(300);
  for (const { data } of server.take()) {
    const paths = Object.keys(data.updates);
    for (const a of paths) for (const b of paths) assert.ok(!b.startsWith(`${a}.`), `${a} and ${b}`);
  }
});

test("values of every kind arrive as they were", async () => {
  const { server, board } = await start();
  const updates = { "form_data.a": null, "form_data.b": 1.5, "form_data.c": false, "form_data.d": [1, "x", null, true], "form_data.e": "\u2028\ud83d\ude00", image_path: null };
  board.edit(id(1), updates, { now: true });
  assert.deepEqual(server.one().data.updates, updates);
});

test("names like `__proto__`, `constructor` and `toString` are paths like any other", async () => {
  const { server, board } = await start();
  const updates = JSON.parse('{"form_data.__proto__": "p", "form_data.constructor": "c", "form_data.checkboxes.__proto__": true, "form_data.a.toString.b": 1}');
  board.edit(id(1), updates, { now: true });
  const frame = server.one();
  assert.deepEqual(frame.data.updates, updates);
  const form = /** @type {any} */ (board.workspace(id(1))?.form_data);
  assert.equal(Object.getOwnPropertyDescriptor(form, "__proto__")?.value, "p");
  assert.equal(Object.getOwnPropertyDescriptor(form, "constructor")?.value, "c");
  assert.equal(Object.getOwnPropertyDescriptor(form.checkboxes, "__proto__")?.value, true);
  assert.equal(/** @type {any} */ ({}).p, undefined);
  server.confirm(frame);
  assert.equal(Object.getOwnPropertyDescriptor(/** @type {any} */ (board.workspace(id(1))?.form_data), "__proto__")?.value, "p");
  assert.equal(board.state.saving, "saved");
});

test("others' names like `__proto__` are shown, and pollute nothing", async () => {
  const { server, board } = await start();
  server.push("workspace.updated", JSON.parse(`{"workspace_id": "${id(1)}", "updates": {"form_data.__proto__.polluted": "yes"}, "updated_at": "2026-06-01T00:00:00.000Z"}`));
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
  const form = /** @type {any} */ (board.workspace(id(1))?.form_data);
  assert.deepEqual(Object.getOwnPropertyDescriptor(form, "__proto__")?.value, { polluted: "yes" });
});

test("an edit to what the path already holds is sent too: another device may have changed it meanwhile", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [LIGHT]: "" });
  await clock.advance(300);
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [LIGHT]: "" } }]);
});

test("an edit to a workspace that there is not is an error, or never sent; it doesn't disturb the others", async () => {
  const { clock, server, board } = await start();
  try {
    board.edit(id(77), { [PROMPT]: "x" });
  } catch (error) {
    assert.equal(/** @type {any} */ (error).code, "WORKSPACE_NOT_FOUND");
  }
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.advance(300);
  for (const frame of server.take()) {
    if (frame.data.workspace_id === id(1)) server.confirm(frame);
    else server.refuse(frame, "WORKSPACE_NOT_FOUND", { workspace_id: frame.data.workspace_id });
  }
  assert.equal(board.state.saving, "saved");
  assert.equal(board.state.workspaces.length, 1);
});
