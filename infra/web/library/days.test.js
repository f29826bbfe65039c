// What goes wrong in a page that is open for days: sign-ins that come late, servers that are away for a while, browsers that close databases,
// clocks that are wrong, listeners that throw, boards that are closed and opened again.

import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, changed, document, id, iso, jwt, prepare, shown, start, watch } from "./harness.js";

test("who signs in after the page was opened finds the edits of before, and what was done meanwhile is his", async () => {
  const kept = prepare({ options: { getToken: () => jwt({ sub: "alice" }) } });
  await kept.page.open();
  kept.server.handshakes = "refuse";
  kept.server.wire.cut();
  kept.board.edit(id(1), { [PROMPT]: "of before" });
  await kept.clock.settle();
  kept.page.crash();
  const { clock, server, browser } = kept;
  /** @type {string | null} */
  let token = null;
  const page = browser.page({ getToken: () => token });
  void page.open();
  await clock.settle();
  const key = page.board.create();
  page.board.edit(key, { [PROMPT]: "meanwhile" }, { now: true });
  await clock.settle();
  server.handshakes = "accept";
  token = jwt({ sub: "alice" });
  page.fire("online");
  await clock.advance(2_000);
  assert.equal(page.board.state.connection, "open");
  const frames = server.take();
  assert.ok(frames.some(({ data }) => data.updates?.[PROMPT] === "of before"));
  const creation = frames.find(({ type }) => type === "workspace.create");
  assert.ok(creation);
  server.created(creation, id(9));
  await clock.advance(1_000);
  assert.ok(server.take().some(({ data }) => data.workspace_id === id(9) && data.updates?.[PROMPT] === "meanwhile"));
});

test("what somebody did before anybody signed in, and did not live to see stored, is never sent for another", async () => {
  const { clock, server, browser, page } = prepare({ options: { getToken: () => null } });
  server.handshakes = "refuse";
  void page.open();
  await clock.settle();
  page.board.create();
  await clock.advance(1_000);
  page.crash();
  server.handshakes = "accept";
  const other = browser.page({ getToken: () => jwt({ sub: "bob" }) });
  await other.open();
  await clock.advance(10_000);
  assert.deepEqual(server.take(), []);
});

test("a cancel is sent over one connection only: later it might stop another video", async () => {
  for (const end of /** @type {const} */ (["no answer", "cut", "crash"])) {
    const { clock, server, page, board } = await start();
    const seen = watch(board.cancel(id(1)));
    await clock.settle();
    assert.equal(server.take().length, 1);
    if (end === "no answer") await clock.advance(21_000);
    server.take();
    if (end === "crash") page.crash();
    else server.wire.cut();
    const next = end === "crash" ? page.successor() : page;
    if (end === "crash") await next.open();
    await clock.advance(30_000);
    next.board.retry();
    await clock.advance(1_000);
    assert.deepEqual(server.take().filter(({ type }) => type === "video.cancel"), [], end);
    if (end !== "crash") assert.equal(seen.state, "rejected");
  }
});

test("what failed while the server was away is sent again by itself, though the connection stayed", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  server.onFrame = (frame) => server.refuse(frame, "DB_ERROR");
  await clock.advance(21_000);
  assert.equal(board.state.saving, "failed");
  server.onFrame = (frame) => server.confirm(frame);
  await clock.advance(125_000);
  assert.equal(board.state.saving, "saved");
});

test("a store that fails is told once, and what it did not take goes with what comes next", async () => {
  const { clock, server, browser, board } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  /** @type {string[]} */
  const errors = [];
  board.on("error", ({ details }) => errors.push(String(details["kept"])));
  browser.store.isBroken = true;
  for (const text of ["a", "b", "c"]) {
    board.edit(id(1), { [PROMPT]: text });
    await clock.settle();
  }
  board.edit(id(2), { [PROMPT]: "other" });
  await clock.settle();
  assert.deepEqual(errors, ["false"]);
  browser.store.isBroken = false;
  board.edit(id(3), { [PROMPT]: "d" });
  await clock.settle();
  assert.equal(browser.store.kept.size, 3);
});

test("a clock that is ahead makes no storm of connections: the token looks as if it were over, and isn't", async () => {
  let renewals = 0;
  const world = prepare({
    options: {
      getToken: ({ renew }) => {
        renewals += Number(renew);
        return jwt({ sub: "alice", exp: world.clock.now / 1_000 + 3_600 });
      },
    },
  });
  world.page.skew = 3_700_000;
  await world.page.open();
  await world.clock.advance(600_000);
  assert.equal(renewals, 0);
  assert.equal(world.board.state.connection, "open");
});

test("a board that was closed sends nothing over the next one's connection, and its undo comes too late", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  server.refuse(server.one(), "RATE_LIMITED", { retry_after_seconds: 10 });
  const undo = board.remove(id(1), { delay: 60_000 });
  board.close();
  await clock.settle();
  await board.open();
  await clock.settle();
  const texts = server.take().map(({ text }) => text);
  assert.equal(undo(), false);
  await clock.advance(11_000);
  const later = server.take().map(({ text }) => text);
  // Each of the two frames belongs to the new board's outbox alone: it is repeated by that one's timer, once.
  assert.equal(new Set(texts).size, texts.length);
  assert.ok(later.every((text) => later.filter((other) => other === text).length <= 2), later.join("\n"));
});

test("a socket that can't even be made is a failed attempt", async () => {
  const { clock, page, server, board } = prepare();
  const { connect } = page.platform;
  page.platform.connect = () => {
    throw new SyntaxError("no such protocol");
  };
  void page.open();
  await clock.settle();
  assert.equal(board.state.connection, "reconnecting");
  page.platform.connect = connect;
  await clock.advance(60_000);
  assert.equal(board.state.connection, "open");
  assert.ok(server.wire);
});

test("with `ask`, an address that is only signed anew is no conflict", async () => {
  const address = (/** @type {string} */ signature) => `/api/uploads/aaaaaaaaaaaaaaaa.png?owner=default&expires=1&signature=${signature}`;
  const picture = document(1, { image_path: "uploads/aaaaaaaaaaaaaaaa.png", image_url: address("one") });
  const { clock, server, board } = await start({ workspaces: [picture], options: { conflicts: "ask" } });
  board.edit(id(1), { image_path: null, image_url: null }, { now: true });
  server.workspaces = [{ ...changed(picture, {}, clock.now + 5), image_url: address("two"), updated_at: iso(clock.now + 5) }];
  server.refuse(server.one(), "CONFLICT", { workspace_id: id(1), updated_at: iso(clock.now + 5) });
  await clock.advance(1_000);
  const again = server.one();
  assert.deepEqual(again.data.updates, { image_path: null, image_url: null });
  server.confirm(again, clock.now + 10);
  assert.equal(shown(board, "image_url"), null);
});

test("where nobody has to sign in, edits are kept though there is a `getToken`", async () => {
  const { clock, server, page } = prepare({ options: { getToken: () => null } });
  await page.open();
  server.handshakes = "refuse";
  server.wire.cut();
  page.board.edit(id(1), { [PROMPT]: "kept" });
  await clock.settle();
  page.crash();
  server.handshakes = "accept";
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  assert.ok(server.take().some(({ data }) => data.updates?.[PROMPT] === "kept"));
});
