import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, id, prepare, shown, start } from "./harness.js";

/** @param {{ timestamp: number }[]} frames */
const rises = (frames) => frames.every(({ timestamp }, index) => index === 0 || timestamp > /** @type {any} */ (frames[index - 1]).timestamp);

test("two frames of one millisecond have two timestamps, the later the larger", async () => {
  const { server, board } = await start();
  for (let n = 0; n < 5; n += 1) board.edit(id(1), { [PROMPT]: `${n}` }, { now: true });
  const frames = server.take();
  assert.equal(frames.length, 5);
  assert.ok(rises(frames));
});

test("a timestamp is now by the device's clock, in whole milliseconds", async () => {
  const { clock, server, board } = await start();
  await clock.advance(1_234.5);
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const { timestamp } = server.one();
  assert.ok(Number.isInteger(timestamp));
  assert.ok(Math.abs(timestamp - clock.now) <= 1);
});

test("timestamps rise though the clock jumps back", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  page.skew = -120_000;
  board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  await clock.advance(10);
  board.edit(id(1), { [PROMPT]: "c" }, { now: true });
  assert.ok(rises(server.take()));
});

test("timestamps rise across a reload, though the clock jumped back meanwhile, and the client stays the same", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.confirm(first);
  page.close();
  const next = page.successor();
  next.skew = -200_000;
  await next.open();
  await clock.advance(10);
  next.board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  const second = server.one();
  assert.equal(second.client_id, first.client_id);
  assert.ok(second.timestamp > first.timestamp);
});

test("a clock that is far ahead: the refusal is put right by itself, and the edit is stored", async () => {
  const { clock, server, page, board } = prepare();
  page.skew = 3_600_000;
  await page.open();
  server.onFrame = (frame) => {
    if (frame.timestamp > clock.now + 300_000) server.refuse(frame, "INVALID_DATA", { field: "timestamp" });
    else server.confirm(frame);
  };
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(1_000);
  board.edit(id(1), { [LIGHT]: "b" }, { now: true });
  await clock.advance(1_000);
  assert.equal(board.state.saving, "saved");
  assert.equal(shown(board, PROMPT), "a");
  const accepted = server.take().filter(({ timestamp }) => timestamp <= clock.now + 300_000);
  assert.deepEqual(accepted.map(({ data }) => data.updates), [{ [PROMPT]: "a" }, { [LIGHT]: "b" }]);
});

test("several frames refused for their timestamps keep their order, and an older value is never dated anew above a newer one", async () => {
  const { clock, server, page, board } = prepare();
  page.skew = 3_600_000;
  await page.open();
  board.edit(id(1), { [PROMPT]: "old", [LIGHT]: "l" }, { now: true });
  board.edit(id(1), { [PROMPT]: "new" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.refuse(second, "INVALID_DATA", { field: "timestamp" });
  server.refuse(first, "INVALID_DATA", { field: "timestamp" });
  await clock.advance(100);
  /** @type {{ [path: string]: { value: unknown, timestamp: number } }} */
  const winners = {};
  for (const { data, timestamp } of server.take()) {
    for (const [path, value] of Object.entries(data.updates)) {
      if (!winners[path] || timestamp > winners[path].timestamp) winners[path] = { value, timestamp };
    }
  }
  assert.equal(winners[PROMPT]?.value, "new");
  assert.equal(winners[LIGHT]?.value, "l");
  assert.ok(Object.values(winners).every(({ timestamp }) => timestamp < clock.now + 300_000));
});

test("a clock that was ahead and is put right: the next edits are dated now, as somebody else's, and are not refused for hours", async () => {
  const { clock, server, page, board } = prepare();
  page.skew = 86_400_000;
  await page.open();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  server.refuse(server.one(), "INVALID_DATA", { field: "timestamp" });
  await clock.advance(100);
  const again = server.one();
  assert.ok(again.timestamp < clock.now + 300_000);
  server.confirm(again);
  page.skew = 0;
  board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  const next = server.one();
  assert.ok(next.timestamp < clock.now + 300_000);
  assert.ok(next.client_id !== again.client_id || next.timestamp > again.timestamp);
});

test("a clock that is behind doesn't matter", async () => {
  const { clock, server, page, board } = prepare();
  page.skew = -86_400_000;
  await page.open();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(10);
  board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  const frames = server.take();
  assert.ok(rises(frames));
  for (const frame of frames) server.confirm(frame);
  assert.equal(board.state.saving, "saved");
});

test("a frame whose timestamp is refused for ever has failed at last, and is kept", async () => {
  const { clock, server, board } = await start();
  server.onFrame = (frame) => server.refuse(frame, "INVALID_DATA", { field: "timestamp" });
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(60_000);
  assert.ok(server.take().length < 12);
  assert.equal(board.state.saving, "failed");
  assert.equal(shown(board, PROMPT), "a");
});

test("a create and a delete with a refused timestamp are dated anew too", async () => {
  const { clock, server, page, board } = prepare();
  page.skew = 3_600_000;
  await page.open();
  const key = board.create();
  board.remove(id(1));
  const [create, remove] = server.take();
  assert.ok(create && remove);
  server.refuse(create, "INVALID_DATA", { field: "timestamp" });
  server.refuse(remove, "INVALID_DATA", { field: "timestamp" });
  const again = server.take();
  assert.deepEqual(again.map(({ type }) => type).sort(), ["workspace.create", "workspace.delete"]);
  for (const frame of again) {
    assert.ok(frame.timestamp < clock.now + 300_000);
    if (frame.type === "workspace.create") server.created(frame, id(9));
    else server.answer(frame, "workspace.deleted", { workspace_id: id(1) });
  }
  assert.equal(board.state.saving, "saved");
  assert.equal(board.workspace(key)?._id, id(9));
  assert.equal(board.state.workspaces.length, 1);
});

test("a deletion that can be undone for a while isn't sent early or late because the clock jumps", async () => {
  const { clock, server, page, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  page.skew = -3_600_000;
  await clock.advance(4_900);
  assert.equal(server.take().length, 0);
  await clock.advance(4_000);
  assert.equal(server.take().length, 1);
});

test("a pause that the server asked for isn't an hour longer because the clock jumps back", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  server.refuse(server.one(), "RATE_LIMITED", { retry_after_seconds: 2 });
  page.skew = -3_600_000;
  await clock.advance(10_000);
  assert.ok(server.take().length >= 1);
});

test("a connection that dies after the clock jumped back is still found dead", async () => {
  const { clock, server, page } = await start();
  page.skew = -3_600_000;
  server.answersPings = false;
  await clock.advance(150_000);
  assert.ok(server.wires.length > 1);
});
