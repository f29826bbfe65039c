import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, document, id, shown, start } from "./harness.js";

/** Keeps the connection talking, so that it isn't suspected. @param {Awaited<ReturnType<typeof start>>} world @param {number} ms */
async function talk({ clock, server }, ms) {
  for (const end = clock.now + ms; clock.now < end;) {
    await clock.advance(Math.min(1_000, end - clock.now));
    server.push("pong", {});
  }
}

test("a frame without an answer is sent again after 5 s, three times, with the same bytes, and then has failed", async () => {
  const world = await start();
  const { server, board, clock } = world;
  const began = clock.now;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await talk(world, 19_000);
  assert.equal(board.state.saving, "saving");
  await talk(world, 60_000);
  const frames = server.take();
  assert.deepEqual(frames.map(({ at }) => at - began), [0, 5_000, 10_000, 15_000]);
  assert.equal(new Set(frames.map(({ text }) => text)).size, 1);
  assert.equal(board.state.saving, "failed");
  assert.equal(shown(board, "saving"), "failed");
  const field = board.workspace(id(1))?.fields[PROMPT];
  assert.equal(field?.state, "failed");
  assert.equal(field?.error?.code, "TIMEOUT");
  assert.equal(shown(board, PROMPT), "a");
});

test("what failed is kept, and `retry` sends the same frame again", async () => {
  const world = await start();
  const { server, board, browser } = world;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await talk(world, 30_000);
  const [first] = server.take();
  assert.equal(browser.store.find("frame").length, 1);
  board.retry(id(1));
  const again = server.one();
  assert.equal(again.text, first?.text);
  assert.equal(board.state.saving, "saving");
  server.confirm(again);
  assert.equal(board.state.saving, "saved");
  await world.clock.settle();
  assert.equal(browser.store.find("frame").length, 0);
});

test("`retry` of one workspace leaves another's failed edits", async () => {
  const world = await start({ workspaces: [document(1), document(2)] });
  const { server, board } = world;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  board.edit(id(2), { [PROMPT]: "b" }, { now: true });
  await talk(world, 30_000);
  server.take();
  board.retry(id(2));
  assert.deepEqual(server.sent(), [{ workspace_id: id(2), updates: { [PROMPT]: "b" } }]);
  board.retry();
  assert.ok(server.sent().some(({ workspace_id }) => workspace_id === id(1)));
});

test("what failed is sent again by itself after a reconnect", async () => {
  const world = await start();
  const { server, board, clock } = world;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await talk(world, 30_000);
  assert.equal(board.state.saving, "failed");
  const [first] = server.take();
  server.wire.cut();
  await clock.advance(1_000);
  const again = server.one();
  assert.equal(again.text, first?.text);
  assert.equal(board.state.saving, "saving");
});

test("each field says how it is: one saved, one saving, one failed", async () => {
  const world = await start();
  const { server, board } = world;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await talk(world, 30_000);
  server.take();
  board.edit(id(1), { [LIGHT]: "b" }, { now: true });
  board.edit(id(1), { "form_data.shot_type": "c" }, { now: true });
  server.confirm(/** @type {any} */ (server.take()[0]));
  const fields = board.workspace(id(1))?.fields ?? {};
  assert.deepEqual(Object.keys(fields).sort(), [PROMPT, "form_data.shot_type"]);
  assert.equal(fields[PROMPT]?.state, "failed");
  assert.equal(fields["form_data.shot_type"]?.state, "saving");
  assert.equal(shown(board, "saving"), "failed");
});

test("an answer that comes after the frame has failed still counts", async () => {
  const world = await start();
  const { server, board } = world;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await talk(world, 30_000);
  server.confirm(/** @type {any} */ (server.take()[0]));
  assert.equal(board.state.saving, "saved");
  assert.equal(shown(board, PROMPT), "a");
});

test("a second answer to a frame, and one to a frame that nobody knows, change nothing", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.confirm(first, clock.now);
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 5);
  server.confirm(first, clock.now + 10);
  assert.equal(shown(board, PROMPT), "theirs");
  server.refuse(first, "WORKSPACE_NOT_FOUND", { workspace_id: id(1) });
  assert.equal(board.state.workspaces.length, 1);
});

test("while there is no connection nothing fails; it waits, and is sent in the order of typing", async () => {
  const { server, board, clock } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(10_000);
  board.edit(id(1), { [LIGHT]: "b" }, { now: true });
  await clock.advance(60_000);
  assert.equal(board.state.saving, "saving");
  server.handshakes = "accept";
  board.retry();
  await clock.settle();
  const stamps = server.take().map(({ timestamp }) => timestamp);
  assert.deepEqual(stamps, [...stamps].sort((a, b) => a - b));
});

test("a frame on its way when the connection is cut is sent over the next one, the same bytes, at once", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.wire.cut();
  await clock.advance(1_001);
  const again = server.one();
  assert.equal(again.text, first.text);
  assert.ok(again.wire !== first.wire);
});

test("a newer edit doesn't wait for the older one's answer, and the screen never goes back to the older", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  board.edit(id(1), { [PROMPT]: "ab" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second && second.timestamp > first.timestamp);
  server.confirm(second, clock.now + 1);
  assert.equal(shown(board, PROMPT), "ab");
  server.confirm(first, clock.now + 1);
  assert.equal(shown(board, PROMPT), "ab");
  assert.equal(board.state.saving, "saved");
});

test("when the older edit is confirmed first, the newer one stays on the screen, and is still `saving`", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  board.edit(id(1), { [PROMPT]: "ab" });
  server.confirm(server.one(), clock.now + 1);
  assert.equal(shown(board, PROMPT), "ab");
  assert.equal(board.state.saving, "saving");
});

test("DB_ERROR is no refusal: the same frame is repeated, and may succeed", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.refuse(first, "DB_ERROR");
  assert.equal(board.state.saving, "saving");
  await clock.advance(5_000);
  const again = server.one();
  assert.equal(again.text, first.text);
  server.confirm(again);
  assert.equal(board.state.saving, "saved");
});

test("DB_ERROR to every repeat fails with that error, and keeps the edit", async () => {
  const { server, board, clock } = await start();
  server.onFrame = (frame) => server.refuse(frame, "DB_ERROR");
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(60_000);
  assert.equal(server.take().length, 4);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "failed");
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.error?.code, "DB_ERROR");
  assert.equal(shown(board, PROMPT), "a");
});

test("the gateway's own error frames are tolerated, and the frame is repeated", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.wire.say({ message: "Internal server error", connectionId: "c=", requestId: "r=" });
  assert.equal(board.state.connection, "open");
  await clock.advance(5_000);
  const again = server.one();
  assert.equal(again.text, first.text);
  server.confirm(again);
  assert.equal(board.state.saving, "saved");
});

test("RATE_LIMITED pauses all sending for as long as the server says, and uses up no repeat", async () => {
  const { server, board, clock } = await start({ workspaces: [document(1), document(2)] });
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.refuse(first, "RATE_LIMITED", { retry_after_seconds: 7 });
  board.edit(id(2), { [PROMPT]: "b" }, { now: true });
  await clock.advance(6_900);
  assert.equal(server.take().length, 0);
  assert.equal(board.state.saving, "saving");
  await clock.advance(200);
  const frames = server.take();
  assert.deepEqual(new Set(frames.map(({ data }) => data.workspace_id)), new Set([id(1), id(2)]));
  assert.ok(frames.some(({ text }) => text === first.text));
  for (const frame of frames) server.confirm(frame);
  assert.equal(board.state.saving, "saved");
});

test("RATE_LIMITED again and again fails nothing", async () => {
  const { server, board, clock } = await start();
  server.onFrame = (frame) => server.refuse(frame, "RATE_LIMITED", { retry_after_seconds: 3 });
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(60_000);
  assert.equal(board.state.saving, "saving");
  assert.ok(server.take().length > 10);
  server.onFrame = (frame) => server.confirm(frame);
  await clock.advance(4_000);
  assert.equal(board.state.saving, "saved");
});

test("messages of unknown types, without data, or that are no JSON, are ignored", async () => {
  const { server, board } = await start();
  const before = board.state;
  for (const text of ["", "null", "[]", "1", '"x"', "{", '{"type": 1}', '{"type":"workspace.updated"}', '{"type":"workspace.updated","data":null}']) server.wire.say(text);
  server.push("workspace.sang", { workspace_id: id(1) });
  server.push("workspace.updated", { workspace_id: id(1) });
  server.push("workspace.updated", { workspace_id: id(1), updates: { [PROMPT]: "undated" } });
  server.push("error", {});
  server.push("error", { code: "INVALID_DATA", message: "?", context: { field: "frame" } });
  assert.equal(board.state.connection, "open");
  assert.deepEqual(board.state.workspaces, before.workspaces);
});

test("a repeat is the same bytes though a newer edit of some of its paths was stored meanwhile", async () => {
  const { server, board, clock } = await start();
  board.edit(id(1), { [PROMPT]: "a", [LIGHT]: "l" }, { now: true });
  board.edit(id(1), { [PROMPT]: "ab" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.confirm(second, clock.now + 1);
  assert.deepEqual([PROMPT, LIGHT].map((path) => shown(board, path)), ["ab", "l"]);
  await clock.advance(5_000);
  const again = server.one();
  assert.equal(again.text, first.text);
  server.confirm(again, clock.now + 1);
  assert.deepEqual([PROMPT, LIGHT].map((path) => shown(board, path)), ["ab", "l"]);
  assert.equal(board.state.saving, "saved");
});
