import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, id, prepare, shown, start } from "./harness.js";

test("an open connection is pinged every 30 s", async () => {
  const { clock, server } = await start();
  const opened = clock.now;
  await clock.advance(150_000);
  assert.deepEqual(server.pings.map(({ at }) => at - opened), [30_000, 60_000, 90_000, 120_000, 150_000]);
  assert.equal(server.pings[0]?.frame.type, "ping");
  assert.equal(server.wires.length, 1);
});

test("a connection on which nothing was heard for 60 s is dead, and another is made at once", async () => {
  const { clock, server, board } = await start();
  server.answersPings = false;
  await clock.advance(59_999);
  assert.equal(server.wires.length, 1);
  await clock.advance(1);
  assert.equal(server.wires.length, 2);
  assert.equal(server.wires[0]?.state, "closed");
  assert.equal(board.state.connection, "open");
});

test("anything that is heard counts as life, not only a pong", async () => {
  const { clock, server } = await start();
  server.answersPings = false;
  for (let n = 0; n < 6; n += 1) {
    await clock.advance(29_000);
    server.pushUpdate(id(1), { [PROMPT]: `${n}` });
  }
  assert.equal(server.wires.length, 1);
});

test("a page that is shown again finds a connection dead that died while it was frozen, without waiting for the next ping", async () => {
  const { clock, server, page } = await start();
  page.fire("hidden");
  clock.now += 3_600_000;
  page.fire("shown");
  await clock.settle();
  assert.equal(server.wires.length, 2);
  assert.equal(server.wires[0]?.state, "closed");
});

test("after four frames without an answer the connection is suspected, and the edit is sent over another", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(20_001);
  assert.equal(server.wires.length, 2);
  const frames = server.take();
  assert.equal(frames.length, 5);
  assert.equal(new Set(frames.map(({ text }) => text)).size, 1);
});

test("a slow answer to an edit is no reason to give up a connection that speaks", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  await clock.advance(12_000);
  server.pushUpdate(id(1), { "form_data.lighting": "x" });
  await clock.advance(9_000);
  assert.equal(server.wires.length, 1);
  assert.equal(board.workspace(id(1))?.fields[PROMPT]?.state, "failed");
});

test("the browser's `offline` event makes the library doubt its connection", async () => {
  const { clock, server, page } = await start();
  page.fire("offline");
  await clock.settle();
  assert.equal(server.wires[0]?.state, "closed");
  assert.equal(server.wires.length, 2);
});

test("a connection is replaced before its two hours are over, and the new one is open before the old one closes", async () => {
  const { clock, server, board } = await start();
  const opened = clock.now;
  /** @type {string[]} */
  const states = [];
  board.subscribe(() => states.push(board.state.connection));
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  assert.ok(clock.now - opened >= 90 * 60_000 && clock.now - opened < 115 * 60_000, `${(clock.now - opened) / 60_000} min`);
  await clock.settle();
  assert.deepEqual(server.wires.map(({ state }) => state), ["open", "open"]);
  await clock.advance(10_000);
  assert.deepEqual(server.wires.map(({ state }) => state), ["closed", "open"]);
  assert.ok(states.every((state) => state === "open"), `${states}`);
});

test("while connections are changed, edits go over the new one, and answers and pushes over the old one are still heard", async () => {
  const { clock, server, board } = await start();
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  await clock.settle();
  const [old, next] = server.wires;
  assert.ok(old && next);
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const frame = server.one();
  assert.ok(frame.wire === next);
  server.push("workspace.updated", { workspace_id: id(1), updates: { "form_data.lighting": "theirs" }, updated_at: new Date(clock.now).toISOString() }, old);
  assert.equal(shown(board, "form_data.lighting"), "theirs");
});

test("an edit that is sent while its connection is being replaced is answered on the old one, and not repeated", async () => {
  const { clock, server, board } = await start();
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const frame = server.one();
  assert.ok(frame.wire === server.wires[0]);
  await clock.advance(1_000);
  assert.ok(server.wire === server.wires[1]);
  server.confirm(frame);
  assert.equal(board.state.saving, "saved");
  await clock.advance(10_000);
  assert.equal(server.take().length, 0);
});

test("an edit that the old connection took to its grave is repeated over the new one", async () => {
  const { clock, server, board } = await start();
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  await clock.advance(6_000);
  const again = server.one();
  assert.equal(again.text, first.text);
  assert.ok(again.wire === server.wires[1]);
});

test("a planned change whose handshake fails is tried again while the old connection still lives", async () => {
  const { clock, server, board } = await start();
  server.handshakes = "refuse";
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  await clock.settle();
  assert.equal(board.state.connection, "open");
  server.handshakes = "accept";
  await clock.advance(61_000);
  assert.equal(board.state.connection, "open");
  assert.equal(server.wires.length, 3);
  assert.equal(server.wires[2]?.state, "open");
});

test("if the old connection ends while its successor is shaking hands, no two connections stay open", async () => {
  const { clock, server, board } = await start();
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  server.wires[0]?.cut();
  await clock.advance(5_000);
  assert.equal(board.state.connection, "open");
  assert.equal(server.wires.filter(({ state }) => state === "open").length, 1);
});

test("a connection that dies soon after a planned change doesn't leave the drained one open", async () => {
  const { clock, server } = await start();
  await clock.until(() => server.wires.length > 1, 3 * 3_600_000);
  await clock.settle();
  server.wires[1]?.cut();
  await clock.advance(10_000);
  assert.equal(server.wires.filter(({ state }) => state === "open").length, 1);
});

test("a closed board sends nothing more, pings included", async () => {
  const { clock, server, board } = await start();
  board.close();
  await clock.advance(600_000);
  assert.equal(server.pings.length, 0);
  assert.equal(server.wires.length, 1);
  assert.equal(server.wires[0]?.state, "closed");
  assert.equal(board.state.connection, "closed");
});

test("a board that is closed while it opens stays closed", async () => {
  const { clock, server, page, board } = prepare();
  const opened = page.open();
  board.close();
  await opened;
  await clock.advance(120_000);
  assert.equal(board.state.connection, "closed");
  assert.equal(server.wires.filter(({ state }) => state === "open").length, 0);
});
