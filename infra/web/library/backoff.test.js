import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, id, prepare, shown, start } from "./harness.js";

/** @param {Awaited<ReturnType<typeof start>>} world the pauses between attempts to connect, until it gives up */
async function pauses({ clock, server, board }) {
  const first = server.wires.length;
  /** @type {number[]} */
  const moments = [];
  let known = first;
  let last = clock.now;
  await clock.until(() => {
    if (server.wires.length > known) {
      moments.push(clock.now - last);
      last = clock.now;
      known = server.wires.length;
    }
    return board.state.connection === "offline";
  }, 3_600_000);
  return moments;
}

test("the pauses double from 1 s to 60 s at most, and after ten attempts it is `offline`", async () => {
  const world = await start();
  world.browser.random = () => 0.999_999;
  world.server.handshakes = "refuse";
  world.server.wire.cut();
  const moments = await pauses(world);
  assert.deepEqual(moments.map((ms) => Math.round(ms / 1_000)), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
  assert.equal(world.board.state.connection, "offline");
  await world.clock.advance(3_600_000);
  assert.equal(world.server.wires.length, 11);
});

test("the jitter is full: a pause may be anything from nothing to the whole", async () => {
  const world = await start();
  world.server.handshakes = "refuse";
  world.browser.random = () => 0;
  world.server.wire.cut();
  assert.ok((await pauses(world)).every((ms) => ms <= 2));
  const half = await start();
  half.server.handshakes = "refuse";
  half.browser.random = () => 0.5;
  half.server.wire.cut();
  assert.deepEqual((await pauses(half)).slice(0, 4).map((ms) => Math.round(ms / 100)), [5, 10, 20, 40]);
});

test("while it waits, the state says which attempt comes next, and when", async () => {
  const { clock, server, browser, board } = await start();
  browser.random = () => 0.5;
  server.handshakes = "refuse";
  server.wire.cut();
  assert.equal(board.state.connection, "reconnecting");
  assert.equal(board.state.attempt, 1);
  assert.equal(board.state.retryAt, clock.now + 500);
  await clock.advance(501);
  assert.equal(board.state.attempt, 2);
  assert.equal(board.state.retryAt, clock.now - 1 + 1_000);
});

for (const [name, begin] of /** @type {const} */ ([["`retry()`", "retry"], ["the `online` event", "online"], ["coming back to the page", "shown"]])) {
  test(`${name} starts at once, from \`offline\` with all attempts ahead`, async () => {
    const world = await start();
    const { clock, server, board, page } = world;
    server.handshakes = "refuse";
    server.wire.cut();
    await pauses(world);
    const before = server.wires.length;
    if (begin === "retry") board.retry();
    else page.fire(begin);
    await clock.settle();
    assert.equal(server.wires.length, before + 1);
    assert.equal(board.state.connection, "reconnecting");
    assert.equal((await pauses(world)).length, 10);
    server.handshakes = "accept";
    if (begin === "retry") board.retry();
    else page.fire(begin);
    await clock.settle();
    assert.equal(board.state.connection, "open");
  });

  test(`${name} cuts a pause short`, async () => {
    const { clock, server, browser, board, page } = await start();
    browser.random = () => 0.999;
    server.wire.cut();
    await clock.advance(100);
    assert.equal(board.state.connection, "reconnecting");
    if (begin === "retry") board.retry();
    else page.fire(begin);
    await clock.settle();
    assert.equal(board.state.connection, "open");
    await clock.advance(10_000);
    assert.equal(server.wires.filter(({ state }) => state === "open").length, 1);
  });
}

test("a connection that opens and closes at once, without a word, uses up the attempts", async () => {
  const { clock, server, board } = await start();
  server.hold();
  const { connect } = server;
  server.connect = (wire) => {
    connect.call(server, wire);
    clock.setTimeout(() => wire.cut(), 10);
  };
  server.wire.cut();
  await clock.until(() => board.state.connection === "offline", 3_600_000);
  assert.equal(board.state.connection, "offline");
  assert.equal(server.wires.length, 11);
});

test("attempts begin anew after something was heard", async () => {
  const { clock, server, browser, board } = await start();
  browser.random = () => 0.999;
  server.handshakes = "refuse";
  server.wire.cut();
  await clock.advance(40_000);
  assert.ok(board.state.attempt > 4);
  server.handshakes = "accept";
  await clock.until(() => board.state.connection === "open");
  server.pushUpdate(id(1), { [PROMPT]: "theirs" });
  server.wire.cut();
  assert.equal(board.state.attempt, 1);
});

test("a handshake that never ends is given up after a while, and is one of the attempts", async () => {
  const world = await start();
  const { clock, server, board } = world;
  server.handshakes = "silent";
  server.wire.cut();
  await clock.until(() => server.wires.length === 3, 60_000);
  assert.equal(server.wires[1]?.state, "closed");
  assert.equal((await pauses(world)).length, 8);
  assert.equal(board.state.connection, "offline");
});

test("the first connection is tried as often, as `connecting` and then `reconnecting`", async () => {
  const world = prepare();
  world.server.handshakes = "refuse";
  /** @type {string[]} */
  const states = [];
  world.board.subscribe(() => states.push(world.board.state.connection));
  await world.page.open();
  await pauses(world);
  assert.equal(world.server.wires.length, 11);
  assert.equal(states[0] === "connecting" || states[0] === "closed", true, `${states}`);
  assert.equal(states.at(-1), "offline");
});

test("edits are taken while it is offline, shown, and sent when there is a connection again", async () => {
  const world = await start();
  const { clock, server, board, page } = world;
  server.handshakes = "refuse";
  server.wire.cut();
  await pauses(world);
  board.edit(id(1), { [PROMPT]: "offline" });
  await clock.advance(60_000);
  assert.equal(shown(board, PROMPT), "offline");
  assert.equal(shown(board, "saving"), "saving");
  assert.equal(server.take().length, 0);
  server.handshakes = "accept";
  page.fire("online");
  await clock.settle();
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "offline" });
});
