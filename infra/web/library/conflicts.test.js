import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, changed, document, id, iso, shown, start } from "./harness.js";

/** @typedef {Awaited<ReturnType<typeof start>>} World */

const asking = (/** @type {Parameters<typeof start>[0]} */ how = {}) => start({ options: { conflicts: "ask" }, ...how });

/** Another device's edit, of which this one only learns by CONFLICT. @param {World} world @param {any} frame @param {object} form */
async function conflict({ clock, server }, frame, form) {
  const at = clock.now + 10;
  server.workspaces = [changed(server.workspaces[0] ?? document(1), form, at)];
  server.refuse(frame, "CONFLICT", { workspace_id: id(1), updated_at: iso(at) });
  await clock.settle();
}

test("`overwrite`, the default, never sends `client_timestamp`", async () => {
  const { server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  assert.equal("client_timestamp" in server.one().data, false);
});

test("`ask` sends the `updated_at` that was seen last", async () => {
  const { clock, server, board } = await asking();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  assert.equal(first.data.client_timestamp, Date.parse(document(1).updated_at));
  server.confirm(first, clock.now + 5);
  board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  const second = server.one();
  assert.equal(second.data.client_timestamp, clock.now + 5);
  server.confirm(second, clock.now + 6);
  server.pushUpdate(id(1), { [LIGHT]: "theirs" }, clock.now + 9);
  board.edit(id(1), { [PROMPT]: "c" }, { now: true });
  assert.equal(server.one().data.client_timestamp, clock.now + 9);
});

test("one frame of a workspace is in flight at a time; what is typed meanwhile follows its answer", async () => {
  const { clock, server, board } = await asking({ workspaces: [document(1), document(2)] });
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  board.edit(id(1), { [PROMPT]: "b" });
  board.edit(id(2), { [PROMPT]: "other" });
  await clock.advance(1_000);
  const [other, ...none] = server.take();
  assert.equal(none.length, 0);
  assert.equal(other?.data.workspace_id, id(2));
  server.confirm(first, clock.now);
  await clock.settle();
  const second = server.one();
  assert.deepEqual(second.data, { workspace_id: id(1), updates: { [PROMPT]: "b" }, client_timestamp: clock.now });
});

test("an edit over 32 KiB goes in parts, one after the other", async () => {
  const { clock, server, board } = await asking();
  board.edit(id(1), { "form_data.a": "x".repeat(20_000), "form_data.b": "y".repeat(20_000) }, { now: true });
  const first = server.one();
  server.confirm(first, clock.now + 1);
  await clock.settle();
  const second = server.one();
  assert.equal(second.data.client_timestamp, clock.now + 1);
  assert.deepEqual(Object.keys({ ...first.data.updates, ...second.data.updates }).sort(), ["form_data.a", "form_data.b"]);
});

test("a CONFLICT about other paths is merged by itself", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { lighting: "theirs" });
  const again = server.one();
  assert.deepEqual(again.data.updates, { [PROMPT]: "mine" });
  assert.equal(again.data.client_timestamp, clock.now + 10);
  server.confirm(again, clock.now + 20);
  assert.deepEqual([PROMPT, LIGHT].map((path) => shown(board, path)), ["mine", "theirs"]);
  assert.equal(board.state.saving, "saved");
});

test("a CONFLICT about the same path is shown as one: mine on the screen, theirs beside it, and nothing is sent", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine", [LIGHT]: "untouched" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  assert.equal(shown(board, PROMPT), "mine");
  assert.deepEqual(board.workspace(id(1))?.fields[PROMPT], { state: "conflict", error: null, theirs: "theirs" });
  assert.equal(board.workspace(id(1))?.saving, "conflict");
  assert.equal(board.state.saving, "conflict");
  const merged = server.one();
  assert.deepEqual(merged.data.updates, { [LIGHT]: "untouched" });
  server.confirm(merged, clock.now + 20);
  await clock.advance(60_000);
  assert.deepEqual(server.sent(), []);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "conflict");
});

test("`resolve` with `mine` sends it above theirs", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  board.resolve(id(1), PROMPT, "mine");
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "saving");
  const frame = server.one();
  assert.deepEqual(frame.data, { workspace_id: id(1), updates: { [PROMPT]: "mine" }, client_timestamp: clock.now + 10 });
  server.confirm(frame, clock.now + 20);
  assert.equal(shown(board, PROMPT), "mine");
  assert.equal(board.state.saving, "saved");
});

test("`resolve` with `theirs` shows theirs, and sends nothing", async () => {
  const world = await asking();
  const { clock, server, browser, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  board.resolve(id(1), PROMPT, "theirs");
  assert.equal(shown(board, PROMPT), "theirs");
  assert.equal(board.state.saving, "saved");
  await clock.advance(10_000);
  assert.deepEqual(server.sent(), []);
  assert.deepEqual([...browser.store.kept.keys()], []);
});

test("both having typed the same is no conflict", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "same" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "same" });
  for (const frame of server.take()) server.confirm(frame, clock.now + 20);
  assert.equal(board.state.saving, "saved");
  assert.equal(shown(board, PROMPT), "same");
});

test("a third change after `resolve` with `mine` is asked about again", async () => {
  const world = await asking();
  const { server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  board.resolve(id(1), PROMPT, "mine");
  await world.clock.advance(100);
  await conflict(world, server.one(), { motion_prompt: "theirs again" });
  assert.deepEqual(board.workspace(id(1))?.fields[PROMPT], { state: "conflict", error: null, theirs: "theirs again" });
});

test("typing on in a conflict keeps it a conflict, with what was typed last", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  board.edit(id(1), { [PROMPT]: "mine, more" });
  await clock.advance(1_000);
  assert.deepEqual(server.sent(), []);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "conflict");
  board.resolve(id(1), PROMPT, "mine");
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "mine, more" });
});

test("`theirs` of a conflict follows what others write next", async () => {
  const world = await asking();
  const { clock, server, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  server.pushUpdate(id(1), { [PROMPT]: "theirs 2" }, clock.now + 50);
  board.resolve(id(1), PROMPT, "theirs");
  assert.equal(shown(board, PROMPT), "theirs 2");
});

test("another device's push of a path that is being typed is a conflict already, without the server's CONFLICT", async () => {
  const { clock, server, board } = await asking();
  board.edit(id(1), { [PROMPT]: "mine" });
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 1);
  await clock.advance(300);
  assert.deepEqual(server.sent(), []);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "conflict");
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.theirs, "theirs");
});

test("a conflict survives a reload", async () => {
  const world = await asking();
  const { clock, server, page, board } = world;
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await conflict(world, server.one(), { motion_prompt: "theirs" });
  await clock.settle();
  page.crash();
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  assert.equal(next.board.workspace(id(1))?.fields[PROMPT]?.state, "conflict");
  assert.equal(shown(next.board, PROMPT), "mine");
  assert.deepEqual(server.sent(), []);
});

test("own edits one after the other never conflict with themselves, nor with the own answers' `updated_at`", async () => {
  const { clock, server, board } = await asking();
  let at = clock.now;
  server.onFrame = (frame) => {
    if (frame.data.client_timestamp < at && at > clock.now - 10_000 && frame.data.client_timestamp !== Date.parse(document(1).updated_at)) throw new Error("conflict with itself");
    at += 7;
    const moment = at;
    clock.setTimeout(() => server.confirm(frame, moment), 40);
  };
  for (let n = 0; n < 20; n += 1) {
    board.edit(id(1), { [PROMPT]: `${n}` });
    await clock.advance(n % 3 ? 350 : 20);
  }
  await clock.advance(1_000);
  assert.equal(board.state.saving, "saved");
  assert.equal(shown(board, PROMPT), "19");
});

test("a repeat of a frame with `client_timestamp` is the same bytes", async () => {
  const { clock, server, board } = await asking();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(5_000);
  const [first, again] = server.take();
  assert.equal(first?.text, again?.text);
});

test("a field refused as invalid doesn't keep later edits of the workspace from being sent", async () => {
  const { clock, server, board } = await asking();
  board.edit(id(1), { [PROMPT]: "bad" }, { now: true });
  server.refuse(server.one(), "INVALID_DATA", { field: "updates", path: PROMPT });
  board.edit(id(1), { [LIGHT]: "good" }, { now: true });
  const frame = server.one();
  server.confirm(frame, clock.now + 1);
  assert.deepEqual(Object.keys(board.workspace(id(1))?.fields ?? {}), [PROMPT]);
});

test("many paths of which one is invalid go one after the other, and don't conflict with each other", async () => {
  const { clock, server, board } = await asking();
  let at = Date.parse(document(1).updated_at);
  server.onFrame = (frame) => {
    const { updates, client_timestamp } = frame.data;
    clock.setTimeout(() => {
      if (PROMPT in updates) server.refuse(frame, "INVALID_DATA", { field: "updates", path: PROMPT });
      else if (client_timestamp < at) {
        server.workspaces = [{ ...document(1), updated_at: iso(at) }];
        server.refuse(frame, "CONFLICT", { workspace_id: id(1), updated_at: iso(at) });
      } else server.confirm(frame, (at += 5));
    }, 20);
  };
  board.edit(id(1), { [PROMPT]: "bad", [LIGHT]: "l", "form_data.shot_type": "s" }, { now: true });
  await clock.advance(5_000);
  assert.deepEqual(Object.keys(board.workspace(id(1))?.fields ?? {}), [PROMPT]);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "failed");
});

test("what is typed into a workspace that the server has not made yet conflicts with nothing: nobody else has it", async () => {
  const { clock, server, board } = await asking();
  const key = board.create();
  const create = server.one();
  board.edit(key, { [PROMPT]: "mine", "form_data.checkboxes.a": true, image_path: "uploads/abcdefghijklmnop.png" });
  await clock.advance(1_000);
  server.created(create, id(9));
  await clock.advance(1_000);
  const frame = server.one();
  assert.deepEqual(frame.data.updates, { [PROMPT]: "mine", "form_data.checkboxes.a": true, image_path: "uploads/abcdefghijklmnop.png" });
  assert.equal(board.workspace(key)?.saving, "saving");
});

test("after a reload, what was typed before the list was there is no conflict with what the list brings unchanged", async () => {
  const { clock, server, page, board } = await asking({ workspaces: [changed(document(1), { motion_prompt: "theirs, as seen" }, 1)] });
  server.handshakes = "refuse";
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "mine" });
  await clock.settle();
  page.crash();
  server.handshakes = "accept";
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "mine" });
  assert.equal(next.board.state.saving, "saving");
});
