import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, document, id, jwt, prepare, shown, start, watch } from "./harness.js";

/** A sign-in whose tokens last for an hour. @param {() => number} now @param {string} [sub] */
function signIn(now, sub = "alice") {
  /** @type {boolean[]} */
  const asked = [];
  const tokens = { asked, life: 3_600, current: "", isSignedIn: true, count: 0 };
  const getToken = (/** @type {{ renew: boolean }} */ { renew }) => {
    asked.push(renew);
    if (!tokens.isSignedIn) return null;
    if (renew || !tokens.current) tokens.current = jwt({ sub, exp: Math.floor(now() / 1_000) + tokens.life, n: (tokens.count += 1) });
    return tokens.current;
  };
  return { tokens, getToken };
}

/** @param {string} [sub] */
function prepareSigned(sub = "alice") {
  let now = () => 0;
  const { tokens, getToken } = signIn(() => now(), sub);
  const world = prepare({ options: { getToken } });
  now = () => world.clock.now;
  return { ...world, tokens };
}

test("without a token no protocol is offered; with one, `motionboard` and the token", async () => {
  const plain = await start();
  assert.deepEqual(plain.server.wire.protocols, []);
  const world = prepareSigned();
  await world.page.open();
  assert.deepEqual(world.server.wire.protocols, ["motionboard", world.tokens.current]);
  assert.equal(world.server.lists[0]?.headers["authorization"], `Bearer ${world.tokens.current}`);
});

test("the token never is in an address", async () => {
  const world = prepareSigned();
  await world.page.open();
  assert.ok(!world.server.wire.url.includes(world.tokens.current));
});

test("the connection is changed for one with a fresh token before the old token ends, without a gap", async () => {
  const { clock, server, page, board, tokens } = prepareSigned();
  await page.open();
  const first = tokens.current;
  /** @type {string[]} */
  const states = [];
  board.subscribe(() => states.push(board.state.connection));
  await clock.advance(3_600_000 - 1_000);
  assert.equal(server.wires.length, 2);
  assert.notEqual(server.wire.protocols[1], first);
  assert.equal(tokens.asked.filter(Boolean).length, 1);
  assert.ok(states.every((state) => state === "open"));
});

test("a request that is answered 401 is made once more, with a fresh token", async () => {
  const { clock, server, page, board, tokens } = prepareSigned();
  await page.open();
  const first = tokens.current;
  let refusals = 0;
  server.auto = (call) => {
    if (call.headers["authorization"] !== `Bearer ${first}`) return server.list(call);
    refusals += 1;
    return call.refuse(401, "UNAUTHORIZED");
  };
  server.workspaces = [document(1), document(2)];
  await board.refresh();
  await clock.settle();
  assert.equal(refusals, 1);
  assert.equal(board.state.workspaces.length, 2);
  assert.equal(board.state.connection, "open");
});

test("an UNAUTHORIZED error frame leads to another connection with a fresh token, over which the edit is sent again", async () => {
  const { clock, server, page, board, tokens } = prepareSigned();
  await page.open();
  const first = tokens.current;
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const frame = server.one();
  server.refuse(frame, "UNAUTHORIZED");
  await clock.advance(2_000);
  assert.equal(board.state.connection, "open");
  assert.notEqual(server.wire.protocols[1], first);
  const again = server.one();
  assert.equal(again.text, frame.text);
  server.confirm(again);
  assert.equal(board.state.saving, "saved");
});

test("where a fresh token doesn't help, the state is `unauthorized`, and nothing is tried by itself", async () => {
  const { clock, server, page, board } = prepareSigned();
  server.handshakes = "refuse";
  server.auto = (call) => call.refuse(401, "UNAUTHORIZED");
  await page.open();
  await clock.advance(5_000);
  assert.equal(board.state.connection, "unauthorized");
  assert.equal(board.state.error?.code, "UNAUTHORIZED");
  const { wires: { length }, calls } = server;
  const asked = calls.length;
  await clock.advance(600_000);
  assert.equal(server.wires.length, length);
  assert.equal(server.calls.length, asked);
});

test("after a sign-in, `retry()` asks for a token, connects and loads, and what was typed meanwhile is sent", async () => {
  const { clock, server, page, board, tokens } = prepareSigned();
  await page.open();
  tokens.isSignedIn = false;
  server.handshakes = "refuse";
  server.auto = (call) => call.refuse(401, "UNAUTHORIZED");
  server.wire.cut();
  await clock.advance(30_000);
  assert.equal(board.state.connection, "unauthorized");
  board.edit(id(1), { [PROMPT]: "typed while signed out" });
  await clock.advance(1_000);
  tokens.isSignedIn = true;
  tokens.current = "";
  server.handshakes = "accept";
  server.auto = (call) => server.list(call);
  board.retry();
  await clock.advance(1_000);
  assert.equal(board.state.connection, "open");
  assert.equal(board.state.error, null);
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "typed while signed out" });
});

test("a token that runs out while the connection is lost is renewed for the next handshake", async () => {
  const { clock, server, page, tokens } = prepareSigned();
  await page.open();
  const first = tokens.current;
  server.handshakes = "refuse";
  server.hold();
  server.wire.cut();
  clock.now += 2 * 3_600_000;
  server.handshakes = "accept";
  page.fire("online");
  await clock.settle();
  assert.notEqual(server.wire.protocols[1], first);
});

test("a `getToken` that fails counts as a failed attempt, and is asked again, not in a hurry", async () => {
  let fails = true;
  let asked = 0;
  const { clock, page, board } = prepare({
    options: {
      getToken: () => {
        asked += 1;
        if (fails) throw new Error("no network");
        return jwt({ sub: "alice" });
      },
      account: "alice",
    },
  });
  await page.open();
  await clock.advance(3_000);
  assert.equal(board.state.connection, "reconnecting");
  assert.equal(board.state.error instanceof Error && typeof board.state.error.code, "string");
  assert.ok(asked < 30, `${asked} times in 3 s`);
  fails = false;
  await clock.advance(60_000);
  assert.equal(board.state.connection, "open");
  assert.equal(board.state.loaded, true);
});

test("an upload that is answered 401 is made once more, with a fresh token", async () => {
  const { clock, server, page, board, tokens } = prepareSigned();
  await page.open();
  const first = tokens.current;
  const png = new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0])]);
  server.auto = (call) => (call.headers["authorization"] === `Bearer ${first}`
    ? call.refuse(401, "UNAUTHORIZED")
    : call.succeed({ image_path: "uploads/abcdefghijklmnop.png", image_url: "/api/uploads/abcdefghijklmnop.png" }));
  const seen = watch(board.upload(id(1), png));
  await clock.real(() => seen.state !== "pending");
  assert.equal(seen.state, "fulfilled");
});

test("one account never sends what another typed in the same browser, and each finds its own again", async () => {
  const { clock, server, browser, page, board } = prepareSigned("alice");
  await page.open();
  server.handshakes = "refuse";
  server.hold();
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "alice's" });
  await clock.advance(1_000);
  page.close();
  server.handshakes = "accept";
  server.auto = (call) => server.list(call);

  const bob = browser.page({ getToken: () => jwt({ sub: "bob" }) }, page.tab);
  await bob.open();
  await clock.advance(30_000);
  assert.deepEqual(server.sent(), []);
  assert.equal(shown(bob.board, PROMPT), "");
  bob.close();

  const alice = browser.page({ getToken: () => jwt({ sub: "alice" }) }, page.tab);
  await alice.open();
  await clock.advance(1_000);
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "alice's" });
});

test("`account` says whose edits they are where a token doesn't", async () => {
  const { clock, server, browser, page, board } = prepare({ options: { account: "a" } });
  server.handshakes = "refuse";
  await page.open();
  board.edit(id(1), { [PROMPT]: "a's" });
  await clock.advance(1_000);
  page.crash();
  server.handshakes = "accept";
  const other = browser.page({ account: "b" });
  await other.open();
  await clock.advance(5_000);
  assert.deepEqual(server.sent(), []);
  const same = browser.page({ account: "a" });
  await same.open();
  await clock.advance(5_000);
  assert.deepEqual(server.sent()[0], { workspace_id: id(1), updates: { [PROMPT]: "a's" } });
});

test("an account's name doesn't reach into another's that begins alike", async () => {
  const { clock, server, browser, page, board } = prepare({ options: { account: "a|draft" } });
  server.handshakes = "refuse";
  await page.open();
  board.edit(id(1), { [PROMPT]: "theirs" });
  await clock.advance(1_000);
  page.crash();
  server.handshakes = "accept";
  const other = browser.page({ account: "a" });
  await other.open();
  await clock.advance(5_000);
  assert.deepEqual(server.sent(), []);
  assert.equal(shown(other.board, PROMPT), "");
});

test("when another account signs in on the same page, the other's pending edits are not sent with its token", async () => {
  let sub = "alice";
  const { clock, server, page, board } = prepare({ options: { getToken: () => jwt({ sub }) } });
  await page.open();
  server.handshakes = "refuse";
  server.hold();
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "alice's" });
  await clock.advance(1_000);
  sub = "bob";
  server.handshakes = "accept";
  server.auto = (call) => server.list(call);
  board.retry();
  await clock.advance(30_000);
  assert.deepEqual(server.sent(), []);
});
