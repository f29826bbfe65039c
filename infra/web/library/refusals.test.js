import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, SHOT, document, id, shown, start } from "./harness.js";

/** @typedef {Awaited<ReturnType<typeof start>>["server"]} Server */

/** Refuses frames that hold a path, as the server does: whole. @param {Server} server @param {string} bad */
function refusePath(server, bad) {
  server.onFrame = (frame) => {
    if (bad in (frame.data.updates ?? {})) server.refuse(frame, "INVALID_DATA", { field: "updates", path: bad });
    else server.confirm(frame, server.clock.now + 1);
  };
}

test("one bad path of many fails alone; the others are stored", async () => {
  const { clock, server, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [PROMPT]: "a", [SHOT]: "bad", [LIGHT]: "c" }, { now: true });
  await clock.advance(1_000);
  const fields = board.workspace(id(1))?.fields ?? {};
  assert.deepEqual(Object.keys(fields), [SHOT]);
  assert.equal(fields[SHOT]?.state, "failed");
  assert.equal(fields[SHOT]?.error?.code, "INVALID_DATA");
  assert.deepEqual(fields[SHOT]?.error?.details, { field: "updates", path: SHOT });
  assert.deepEqual([PROMPT, SHOT, LIGHT].map((path) => shown(board, path)), ["a", "bad", "c"]);
});

test("the parts of a split frame keep the order: nothing older is dated above a newer own value", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "old", [SHOT]: "bad" }, { now: true });
  board.edit(id(1), { [PROMPT]: "new" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.confirm(second, clock.now + 1);
  server.refuse(first, "INVALID_DATA", { field: "updates", path: SHOT });
  await clock.advance(1_000);
  for (const { data, timestamp } of server.take()) {
    if (PROMPT in data.updates) assert.ok(data.updates[PROMPT] !== "old" || timestamp < second.timestamp, "an older value was dated anew");
  }
  assert.equal(shown(board, PROMPT), "new");
});

test("a single bad path isn't sent again by itself, neither at a reconnect nor after a while", async () => {
  const { clock, server, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [SHOT]: "bad" }, { now: true });
  await clock.advance(60_000);
  server.wire.cut();
  await clock.advance(60_000);
  assert.equal(server.take().length, 1);
  assert.equal(board.state.saving, "failed");
});

test("what was refused is kept across a reload, and shown", async () => {
  const { clock, server, page, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [SHOT]: "bad" }, { now: true });
  await clock.settle();
  page.crash();
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  assert.equal(shown(next.board, SHOT), "bad");
  assert.equal(next.board.state.saving, "failed");
});

test("typing anew into a refused field takes the refused value back, and saves the new one", async () => {
  const { clock, server, browser, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [SHOT]: "bad" }, { now: true });
  await clock.settle();
  server.onFrame = (frame) => server.confirm(frame, clock.now + 1);
  board.edit(id(1), { [SHOT]: "good" });
  await clock.advance(300);
  assert.equal(board.state.saving, "saved");
  assert.equal(shown(board, SHOT), "good");
  await clock.settle();
  assert.deepEqual([...browser.store.kept.keys()], []);
});

test("`retry` sends a refused edit once more, with a timestamp that can win nothing it should not", async () => {
  const { clock, server, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [SHOT]: "bad" }, { now: true });
  await clock.advance(1_000);
  server.take();
  server.onFrame = (frame) => server.confirm(frame, clock.now + 1);
  board.retry(id(1));
  await clock.settle();
  assert.deepEqual(server.sent().map(({ updates }) => updates), [{ [SHOT]: "bad" }]);
  assert.equal(board.state.saving, "saved");
});

test("a refused edit doesn't keep later edits of other paths from being saved", async () => {
  const { clock, server, board } = await start();
  refusePath(server, SHOT);
  board.edit(id(1), { [SHOT]: "bad" }, { now: true });
  board.edit(id(1), { [PROMPT]: "fine" }, { now: true });
  await clock.advance(1_000);
  assert.deepEqual(Object.keys(board.workspace(id(1))?.fields ?? {}), [SHOT]);
});

test("a form that is full (64 KiB) refuses what is too much, path by path, and stores what fits", async () => {
  const { clock, server, board } = await start();
  server.onFrame = (frame) => {
    if (JSON.stringify(frame.data.updates).length > 5_000) server.refuse(frame, "INVALID_DATA", { field: "updates" });
    else server.confirm(frame, clock.now + 1);
  };
  board.edit(id(1), { "form_data.small": "x", "form_data.large": "y".repeat(6_000) }, { now: true });
  await clock.advance(1_000);
  assert.deepEqual(Object.keys(board.workspace(id(1))?.fields ?? {}), ["form_data.large"]);
});

test("an unknown code of an error frame is no success: the edit is kept, and not shown as saved", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  server.refuse(server.one(), "SOMETHING_NEW");
  await clock.advance(100);
  assert.notEqual(board.state.saving, "saved");
  assert.equal(shown(board, PROMPT), "a");
});

test("a reorder that is refused doesn't stay on the screen as saved", async () => {
  const { server, board } = await start({ workspaces: [document(1), document(5)] });
  board.move(id(5), id(1));
  server.refuse(server.one(), "INVALID_DATA", { field: "reorder_map" });
  assert.equal(board.state.saving, "failed");
});

test("after a frame was split, the parts survive a crash", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a", [SHOT]: "bad" }, { now: true });
  server.refuse(server.one(), "INVALID_DATA", { field: "updates", path: SHOT });
  server.take();
  await clock.settle();
  page.crash();
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  const sent = Object.assign({}, ...server.sent().map(({ updates }) => updates));
  assert.deepEqual(sent, { [PROMPT]: "a", [SHOT]: "bad" });
});

test("a scalar typed above a child, or a child below a scalar, of an edit under way never leaves the field `saving` for ever", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { "form_data.x": "scalar" }, { now: true });
  board.edit(id(1), { "form_data.x.y": "child" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.confirm(first, clock.now + 1);
  server.refuse(second, "INVALID_DATA", { field: "updates", path: "form_data.x.y" });
  await clock.advance(60_000);
  const fields = board.workspace(id(1))?.fields ?? {};
  assert.ok(Object.values(fields).every(({ state }) => state === "failed"));
});

test("after a reload the parts of a split frame are still older than what was stored since", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "old", [SHOT]: "bad", [LIGHT]: "only here" }, { now: true });
  board.edit(id(1), { [PROMPT]: "new" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.confirm(second, clock.now + 1);
  await clock.advance(100);
  page.crash();
  server.workspaces = [document(1, { form_data: { ...document(1).form_data, motion_prompt: "new" }, updated_at: new Date(clock.now).toISOString() })];
  const next = page.successor();
  await next.open();
  await clock.settle();
  const again = server.take().at(-1);
  assert.ok(again);
  server.refuse(again, "INVALID_DATA", { field: "updates", path: SHOT });
  await clock.advance(100);
  const parts = server.take();
  assert.ok(parts.some(({ data }) => data.updates[LIGHT] === "only here"));
  for (const { data, timestamp, client_id } of parts) {
    if (data.updates[PROMPT] === "old") assert.ok(timestamp < second.timestamp && client_id === second.client_id, "an older value was dated anew");
  }
});

test("after a reload what is left of a reorder is still older than what was stored since", async () => {
  const { clock, server, page, board } = await start({ workspaces: [1, 2, 3, 4].map((n) => document(n, { order_index: 0 })) });
  board.move(id(4), id(1));
  board.move(id(3), id(1));
  const [first, second] = server.take();
  assert.ok(first && second && [1, 2, 3].every((n) => id(n) in first.data.reorder_map) && id(3) in second.data.reorder_map);
  server.answer(second, "workspace.reorder_confirm", { success: true });
  await clock.advance(100);
  page.crash();
  const next = page.successor();
  await next.open();
  await clock.settle();
  const again = server.take().at(-1);
  assert.ok(again && id(1) in again.data.reorder_map && id(2) in again.data.reorder_map);
  server.refuse(again, "WORKSPACE_NOT_FOUND", { workspace_id: id(2) });
  await clock.advance(100);
  const left = server.take();
  assert.ok(left.some(({ data }) => id(1) in data.reorder_map));
  for (const { data, timestamp, client_id } of [again, ...left]) {
    if (id(3) in data.reorder_map) assert.ok(timestamp < second.timestamp && client_id === second.client_id, "an older place was dated anew");
  }
});
