import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, SHOT, document, id, shown, start } from "./harness.js";

/** A page without a connection that cannot get one. @param {Parameters<typeof start>[0]} [how] */
async function offline(how) {
  const world = await start(how);
  world.server.handshakes = "refuse";
  world.server.auto = (call) => call.fail();
  world.server.wire.cut();
  return world;
}

/** @param {Awaited<ReturnType<typeof start>>["server"]} server */
function heal(server) {
  server.handshakes = "accept";
  server.auto = (call) => server.list(call);
}

for (const end of /** @type {const} */ (["crash", "close"])) {
  test(`unsent edits survive a ${end}, are shown after it, and are sent as they were`, async () => {
    const { clock, server, page, board } = await offline();
    board.edit(id(1), { [PROMPT]: "kept" });
    await clock.settle();
    page[end]();
    heal(server);
    const next = page.successor();
    await next.open();
    assert.equal(shown(next.board, PROMPT), "kept");
    assert.equal(shown(next.board, "saving"), "saving");
    await clock.advance(1_000);
    const frame = server.one();
    assert.deepEqual(frame.data.updates, { [PROMPT]: "kept" });
    server.confirm(frame);
    assert.equal(next.board.state.saving, "saved");
  });

  test(`a frame that was sent and not acknowledged before a ${end} is repeated after it, the same bytes`, async () => {
    const { server, page, board, clock } = await start();
    board.edit(id(1), { [PROMPT]: "a" }, { now: true });
    const first = server.one();
    await clock.settle();
    page[end]();
    const next = page.successor();
    await next.open();
    const again = server.take();
    assert.ok(again.length >= 1);
    assert.ok(again.every(({ text }) => text === first.text));
    server.confirm(/** @type {any} */ (again[0]));
    assert.equal(next.board.state.saving, "saved");
    await clock.settle();
    next.crash();
    const third = next.successor();
    await third.open();
    assert.deepEqual(server.sent(), []);
  });
}

test("an edit typed after a reload goes above one that was kept, and is dated later", async () => {
  const { server, page, board, clock } = await offline();
  board.edit(id(1), { [PROMPT]: "before" });
  await clock.settle();
  page.crash();
  heal(server);
  server.handshakes = "refuse";
  const next = page.successor();
  await next.open();
  next.board.edit(id(1), { [PROMPT]: "after" });
  await clock.advance(1_000);
  server.handshakes = "accept";
  next.board.retry();
  await clock.settle();
  const frames = server.take();
  const newest = frames.filter(({ data }) => PROMPT in data.updates).sort((a, b) => b.timestamp - a.timestamp)[0];
  assert.equal(newest?.data.updates[PROMPT], "after");
  assert.equal(shown(next.board, PROMPT), "after");
});

test("the draft becomes a frame in one transaction: at no moment the store holds neither", async () => {
  const { clock, server, browser, board } = await start();
  board.edit(id(1), { [PROMPT]: "x" });
  await clock.advance(300);
  server.one();
  await clock.settle();
  /** @type {Map<string, unknown>} */
  const kept = new Map();
  let hasBegun = false;
  for (const changes of browser.store.writes) {
    for (const [key, value] of changes) value === undefined ? kept.delete(key) : kept.set(key, value);
    const holds = [...kept.values()].some((value) => JSON.stringify(value).includes('"x"'));
    hasBegun ||= holds;
    assert.equal(holds, hasBegun);
  }
  assert.ok(hasBegun);
});

test("whatever the store holds at the moment of a crash, the newest of it is sent, whole", async () => {
  for (let crash = 0; crash < 60; crash += 3) {
    const { clock, server, browser, page, board } = await start();
    browser.store.latency = () => 7;
    const texts = ["a", "ab", "abc", "abcd"];
    for (const text of texts) {
      board.edit(id(1), { [PROMPT]: text, [LIGHT]: text });
      clock.setTimeout(() => {}, 5);
      await clock.advance(5);
    }
    board.edit(id(1), { [SHOT]: "s" }, { now: true });
    await clock.advance(crash);
    const sent = server.take();
    page.crash();
    await clock.advance(50);
    const kept = JSON.stringify([...browser.store.kept.values()]);
    const next = page.successor();
    await next.open();
    await clock.advance(1_000);
    const after = server.take();
    const last = (/** @type {typeof sent} */ frames) => frames.sort((a, b) => a.timestamp - b.timestamp).reduce((all, { data }) => ({ ...all, ...data.updates }), /** @type {any} */ ({}));
    const { [PROMPT]: prompt, [LIGHT]: light } = last(after);
    if (kept.includes('"a')) assert.ok(texts.includes(prompt) && prompt === light, `${crash}: ${kept} ${JSON.stringify(last(after))}`);
    if (after.length && sent.length) assert.ok(after.every(({ timestamp, text }) => sent.some((frame) => frame.text === text) || timestamp > Math.min(...sent.map((frame) => frame.timestamp))));
  }
});

test("what was acknowledged isn't kept any more", async () => {
  const { clock, server, browser, board } = await start();
  board.edit(id(1), { [PROMPT]: "x" }, { now: true });
  server.confirm(server.one());
  await clock.settle();
  assert.deepEqual([...browser.store.kept.keys()], []);
});

test("edits of a tab that is gone are sent by the next one, once, as they were", async () => {
  const { clock, server, browser, page, board } = await offline({ workspaces: [document(1), document(2)] });
  board.edit(id(1), { [PROMPT]: "frame" }, { now: true });
  board.create();
  await clock.settle();
  page.crash();
  heal(server);
  const one = browser.page();
  const two = browser.page();
  await Promise.all([one.open(), two.open()]);
  await clock.advance(1_000);
  const frames = server.take();
  assert.deepEqual(frames.map(({ type }) => type).sort(), ["workspace.create", "workspace.update"]);
  assert.deepEqual(frames.find(({ type }) => type === "workspace.update")?.data.updates, { [PROMPT]: "frame" });
});

test("drafts of a tab that is gone are sent by the next one, once", async () => {
  const { clock, server, browser, page, board } = await offline();
  board.edit(id(1), { [PROMPT]: "draft" });
  await clock.settle();
  page.crash();
  heal(server);
  const pages = [browser.page(), browser.page(), browser.page()];
  await Promise.all(pages.map((other) => other.open()));
  await clock.advance(1_000);
  assert.deepEqual(server.sent(), [{ workspace_id: id(1), updates: { [PROMPT]: "draft" } }]);
});

test("edits of a tab that lives are left alone", async () => {
  const { clock, server, browser, page, board } = await offline();
  board.edit(id(1), { [PROMPT]: "mine" });
  await clock.settle();
  heal(server);
  server.handshakes = "silent";
  const other = browser.page();
  await other.open();
  assert.equal(shown(other.board, PROMPT), "");
  server.handshakes = "accept";
  other.board.close();
  const third = browser.page();
  await third.open();
  await clock.advance(100);
  assert.deepEqual(server.sent(), []);
  assert.equal(page.isAlive, true);
});

test("a duplicated tab gets another client id, and doesn't send the original's edits again", async () => {
  const { clock, server, browser, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  await clock.settle();
  const twin = browser.page({}, page.tab.duplicate());
  await twin.open();
  await clock.advance(1_500);
  assert.deepEqual(server.sent(), []);
  twin.board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  assert.notEqual(server.one().client_id, first.client_id);
});

test("a tab that is duplicated while it is hidden gets another client id, too", async () => {
  const { clock, server, browser, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.confirm(first);
  page.fire("hidden");
  const twin = browser.page({}, page.tab.duplicate());
  await twin.open();
  await clock.advance(3_000);
  twin.board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  assert.notEqual(server.one().client_id, first.client_id);
});

test("a reload whose former page takes a moment to end keeps the client id", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "a" }, { now: true });
  const first = server.one();
  server.confirm(first);
  page.fire("hidden");
  page.fire("leave");
  const next = page.successor();
  void next.open();
  await clock.advance(400);
  page.crash();
  await clock.advance(1_000);
  next.board.edit(id(1), { [PROMPT]: "b" }, { now: true });
  assert.equal(server.take().find(({ data }) => data.updates[PROMPT] === "b")?.client_id, first.client_id);
});

test("another board in the same page sends what the closed one could not", async () => {
  const { clock, server, page, board, browser } = await offline();
  board.edit(id(1), { [PROMPT]: "kept" });
  await clock.settle();
  board.close();
  await clock.settle();
  heal(server);
  const { makeBoard } = await import(`${process.env["MOTIONBOARD_LIBRARY"] ?? new URL("../../../web/motionboard/", import.meta.url).href}board.js`);
  const again = makeBoard({}, page.platform);
  void again.open();
  await clock.advance(2_000);
  assert.deepEqual(server.sent().map(({ updates }) => updates), [{ [PROMPT]: "kept" }]);
  assert.equal(browser.pages.length, 1);
});

test("a frame and a later draft of a dead tab, to the same path, can't overtake each other", async () => {
  const { clock, server, browser, page, board } = await offline();
  board.edit(id(1), { [PROMPT]: "older" }, { now: true });
  await clock.settle();
  server.handshakes = "accept";
  server.hold();
  board.retry();
  await clock.settle();
  server.take();
  server.handshakes = "refuse";
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "newer" });
  await clock.settle();
  page.crash();
  heal(server);
  const other = browser.page();
  await other.open();
  await clock.advance(1_000);
  // Of two clients the last to arrive wins, and the gateway keeps no order: so it is one client, or one after the other.
  const frames = server.take().filter(({ data }) => PROMPT in (data.updates ?? {}));
  const values = new Set(frames.map(({ data }) => data.updates[PROMPT]));
  const newer = frames.find(({ data }) => data.updates[PROMPT] === "newer");
  const older = frames.find(({ data }) => data.updates[PROMPT] === "older");
  assert.ok(values.size === 1 || (newer && older && newer.client_id === older.client_id && newer.timestamp > older.timestamp),
    `in flight at once: ${frames.map(({ text }) => text).join(" ")}`);
  assert.equal(shown(other.board, PROMPT), "newer");
});

test("what a tab stored on the server before it ended isn't sent again from an older reading of the store", async () => {
  const { clock, server, browser, page, board } = await offline();
  board.edit(id(1), { [PROMPT]: "old" });
  await clock.advance(400);
  heal(server);
  browser.store.delivery = 50;
  const other = browser.page();
  void other.open();
  await clock.advance(10);
  // The other one has read the store. Now the first stores its edit, and ends, before the other has what it read.
  board.retry();
  await clock.advance(10);
  const frames = server.take();
  assert.equal(frames.length, 1);
  for (const frame of frames) server.confirm(frame, clock.now);
  await clock.settle();
  assert.deepEqual([...browser.store.kept.keys()], []);
  page.crash();
  await clock.advance(30_000);
  assert.deepEqual(server.sent(), []);
});

test("a creation, and what was typed into it, of a tab that is gone, stay together though two tabs take up what is left", async () => {
  const { clock, server, browser, page, board } = await offline();
  const key = board.create();
  board.edit(key, { [PROMPT]: "together" });
  await clock.settle();
  page.crash();
  // Another one takes both up, and is loaded again while a third one opens.
  const second = browser.page();
  await second.open();
  await clock.settle();
  second.crash();
  browser.store.delivery = 50;
  const successor = second.successor();
  void successor.open();
  await clock.advance(1);
  browser.store.delivery = 0;
  const third = browser.page();
  void third.open();
  await clock.advance(1_000);
  heal(server);
  server.onFrame = (frame) => {
    if (frame.type === "workspace.create") server.created(frame, id(9));
    else server.confirm(frame, clock.now + 5);
  };
  server.workspaces = [document(1), document(9)];
  successor.board.retry();
  third.board.retry();
  await clock.advance(30_000);
  const frames = server.take();
  assert.ok(frames.some(({ data }) => data.workspace_id === id(9) && data.updates?.[PROMPT] === "together"), frames.map(({ text }) => text).join(" "));
  assert.deepEqual([...browser.store.kept.keys()], []);
});

test("a frame of a dead tab that the server never answers doesn't keep what is typed now from being sent", async () => {
  const { clock, server, browser, page, board } = await offline();
  board.edit(id(1), { [PROMPT]: "never answered" }, { now: true });
  await clock.settle();
  page.crash();
  heal(server);
  const next = browser.page();
  await next.open();
  next.board.edit(id(1), { [LIGHT]: "now" });
  server.onFrame = (frame) => {
    if (!(PROMPT in frame.data.updates)) server.confirm(frame, clock.now + 1);
  };
  for (let n = 0; n < 60; n += 1) {
    await clock.advance(1_000);
    server.push("pong", {});
  }
  assert.ok(server.sent().some(({ updates }) => updates[LIGHT] === "now"));
  assert.deepEqual(Object.keys(next.board.workspace(id(1))?.fields ?? {}), [PROMPT]);
});

test("what waits behind a frame of a dead tab waits behind its parts, too, when the server wants it smaller", async () => {
  const { clock, server, browser, page, board } = await start();
  // Another tab, with an id of its own.
  const second = browser.page();
  await second.open();
  second.board.edit(id(1), { [LIGHT]: "x" }, { now: true });
  server.confirm(server.one(), clock.now);
  // It may be with the server already: so it stays what it is.
  board.edit(id(1), { [PROMPT]: "older", [SHOT]: "bad" }, { now: true });
  server.one();
  await clock.settle();
  page.crash();
  second.crash();
  const next = second.successor();
  await next.open();
  next.board.edit(id(1), { [PROMPT]: "newer" }, { now: true });
  await clock.settle();
  const first = server.take();
  const [frame] = first;
  assert.ok(frame && SHOT in frame.data.updates && first.length === 1, `${first.map(({ text }) => text)}`);
  server.refuse(frame, "INVALID_DATA", { field: "updates", path: SHOT });
  await clock.settle();
  const sent = server.take();
  assert.ok(!(sent.some(({ data }) => data.updates[PROMPT] === "older") && sent.some(({ data }) => data.updates[PROMPT] === "newer")), "both are in flight, as two clients");
  server.onFrame = (part) => {
    if (SHOT in part.data.updates) server.refuse(part, "INVALID_DATA", { field: "updates", path: SHOT });
    else server.confirm(part, clock.now + 1);
  };
  for (const part of sent) server.onFrame(part);
  await clock.advance(1_000);
  assert.ok([...sent, ...server.take()].some(({ data }) => data.updates[PROMPT] === "newer"));
  assert.equal(shown(next.board, PROMPT), "newer");
  assert.deepEqual(Object.keys(next.board.workspace(id(1))?.fields ?? {}), [SHOT]);
});
