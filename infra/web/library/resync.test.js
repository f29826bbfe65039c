import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, SHOT, changed, document, id, iso, prepare, shown, start } from "./harness.js";

/** @typedef {import("./server.js").Script} Script */
/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./harness.js").Document} Document */

test("the list is loaded after every reconnect", async () => {
  const { clock, server, board } = await start();
  const before = server.lists.length;
  server.workspaces = [changed(document(1), { motion_prompt: "meanwhile" }, clock.now)];
  server.wire.cut();
  await clock.advance(1_000);
  assert.ok(server.lists.length > before);
  assert.equal(shown(board, PROMPT), "meanwhile");
});

test("the list is loaded when the page comes back to the front", async () => {
  const { clock, server, page, board } = await start();
  page.fire("hidden");
  server.workspaces = [changed(document(1), { motion_prompt: "meanwhile" }, clock.now)];
  const before = server.lists.length;
  page.fire("shown");
  await clock.settle();
  assert.ok(server.lists.length > before);
  assert.equal(shown(board, PROMPT), "meanwhile");
});

test("a list is never taken from a cache", async () => {
  const { server } = prepare();
  /** @type {RequestInit[]} */
  const inits = [];
  const world = prepare();
  const { fetch } = world.server;
  world.server.fetch = (url, init) => {
    inits.push(init);
    return fetch.call(world.server, url, init);
  };
  await world.page.open();
  assert.ok(inits.length > 0 && inits.every(({ cache }) => cache === "no-store"));
  assert.equal(server.lists.length, 0);
});

test("what is typed before, during and after a list that doesn't know it stays on the screen, and is sent", async () => {
  const { clock, server, page, board } = await start();
  server.hold();
  board.edit(id(1), { [PROMPT]: "before" });
  page.fire("shown");
  await clock.settle();
  board.edit(id(1), { [SHOT]: "during" });
  for (const call of server.waiting()) server.list(call);
  await clock.settle();
  board.edit(id(1), { [LIGHT]: "after" });
  assert.deepEqual([PROMPT, SHOT, LIGHT].map((path) => shown(board, path)), ["before", "during", "after"]);
  await clock.advance(300);
  assert.deepEqual(server.one().data.updates, { [PROMPT]: "before", [SHOT]: "during", [LIGHT]: "after" });
  assert.deepEqual([PROMPT, SHOT, LIGHT].map((path) => shown(board, path)), ["before", "during", "after"]);
});

test("an edit that was confirmed while a list was under way isn't undone by that list, which is older", async () => {
  const { clock, server, page, board } = await start();
  server.hold();
  page.fire("shown");
  await clock.settle();
  const [list] = server.waiting();
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  await clock.advance(10);
  server.confirm(server.one());
  assert.ok(list);
  server.list(list);
  await clock.settle();
  assert.equal(shown(board, PROMPT), "mine");
  assert.equal(shown(board, "saving"), "saved");
});

test("an edit that is under way stays on the screen while a list holds another's newer value", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  const frame = server.one();
  server.workspaces = [changed(document(1), { motion_prompt: "theirs" }, clock.now)];
  page.fire("shown");
  await clock.settle();
  assert.equal(shown(board, PROMPT), "mine");
  await clock.advance(10);
  server.confirm(frame);
  assert.equal(shown(board, PROMPT), "mine");
});

test("all pages of the list are read, by `next_cursor`", async () => {
  const { server, page, board } = prepare();
  server.auto = (call) => {
    const cursor = call.url.searchParams.get("cursor");
    const n = cursor ? Number(cursor.slice(2)) : 1;
    call.succeed({ workspaces: [document(n)], next_cursor: n < 5 ? `c&${n + 1}` : null });
  };
  await page.open();
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [1, 2, 3, 4, 5].map(id));
  assert.equal(server.lists.length % 5, 0);
});

test("nothing of a list is shown as the whole before its last page is there", async () => {
  const { server, page, board, clock } = prepare();
  server.hold();
  void page.open();
  await clock.settle();
  server.waiting()[0]?.succeed({ workspaces: [document(1)], next_cursor: "c" });
  await clock.settle();
  assert.equal(board.state.loaded, false);
});

test("a list in pages that something changed meanwhile doesn't drop what moved from one page to the other", async () => {
  const { clock, server, page, board } = await start({ workspaces: [document(1), document(2)] });
  server.hold();
  page.fire("shown");
  await clock.settle();
  server.waiting()[0]?.succeed({ workspaces: [document(1)], next_cursor: "c" });
  await clock.settle();
  // The second goes to the front: the first page was read before, the second page is read after.
  server.push("workspace.reordered", { reorder_map: { [id(2)]: 0 } });
  server.waiting()[0]?.succeed({ workspaces: [], next_cursor: null });
  await clock.settle();
  const moved = { ...document(2), order_index: 0, updated_at: iso(clock.now) };
  server.auto = (call) => server.list(call, [moved, document(1)]);
  for (const call of server.waiting()) server.auto(call);
  await clock.advance(5_000);
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [id(2), id(1)]);
});

test("a list that fails is tried again, ever more slowly, until it works; the state says why meanwhile", async () => {
  const { clock, server, page, board } = prepare();
  server.auto = (call) => call.refuse(500, "DB_ERROR");
  await page.open();
  assert.equal(board.state.loaded, false);
  assert.equal(board.state.error?.code, "DB_ERROR");
  await clock.advance(600_000);
  assert.ok(server.lists.length > 15 && server.lists.length < 120, `${server.lists.length}`);
  server.auto = (call) => server.list(call);
  await clock.advance(31_000);
  assert.equal(board.state.loaded, true);
  assert.equal(board.state.error, null);
  const { length } = server.lists;
  await clock.advance(120_000);
  assert.equal(server.lists.length, length);
});

test("a list is not asked for again before `Retry-After`", async () => {
  const { clock, server, page } = prepare();
  server.auto = (call) => call.refuse(503, "SERVICE_UNAVAILABLE", undefined, { "retry-after": "20" });
  await page.open();
  await clock.advance(1);
  const { length } = server.lists;
  await clock.advance(19_900);
  assert.equal(server.lists.length, length);
  await clock.advance(30_000);
  assert.ok(server.lists.length > length);
});

test("a list that fails leaves the board as it was", async () => {
  const { clock, server, page, board } = await start();
  server.auto = (call) => call.fail();
  page.fire("shown");
  await clock.settle();
  assert.equal(board.state.workspaces.length, 1);
  assert.equal(board.state.loaded, true);
  assert.equal(board.state.error?.code, "NETWORK");
});

test("a workspace that the list no longer has is gone", async () => {
  const { server, board } = await start({ workspaces: [document(1), document(2)] });
  server.workspaces = [document(2)];
  await board.refresh();
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [id(2)]);
});

test("a workspace that was created here while the list was under way isn't dropped", async () => {
  const { clock, server, page, board } = await start();
  server.hold();
  page.fire("shown");
  await clock.settle();
  const [list] = server.waiting();
  const key = board.create();
  server.created(server.one(), id(9));
  assert.ok(list);
  server.list(list);
  await clock.settle();
  assert.equal(board.workspace(key)?._id, id(9));
  assert.equal(board.state.workspaces.length, 2);
});

test("a workspace that another tab created while the list was under way isn't dropped", async () => {
  const { clock, server, page, board } = await start();
  server.hold();
  page.fire("shown");
  await clock.settle();
  const [list] = server.waiting();
  server.push("workspace.created", { workspace_id: id(9), order_index: 9, created_at: iso(clock.now), workspace: document(9) });
  assert.ok(list);
  server.list(list);
  await clock.settle();
  assert.equal(board.state.workspaces.length, 2);
});

test("a workspace that was deleted while the list was under way doesn't come back with it", async () => {
  const { clock, server, page, board } = await start({ workspaces: [document(1), document(2)] });
  server.hold();
  page.fire("shown");
  await clock.settle();
  const [list] = server.waiting();
  server.push("workspace.deleted", { workspace_id: id(2) });
  board.remove(id(1));
  server.answer(server.one(), "workspace.deleted", { workspace_id: id(1) });
  assert.ok(list);
  server.list(list);
  await clock.settle();
  assert.deepEqual(board.state.workspaces, []);
});

test("a deletion that overtakes the creation wins: deleted ids are remembered", async () => {
  const { clock, server, board } = await start();
  server.push("workspace.deleted", { workspace_id: id(9) });
  server.push("workspace.created", { workspace_id: id(9), order_index: 9, created_at: iso(clock.now), workspace: document(9) });
  server.pushUpdate(id(9), { [PROMPT]: "x" });
  assert.equal(board.state.workspaces.length, 1);
  server.workspaces = [document(1), document(9)];
  await board.refresh();
  assert.equal(board.state.workspaces.length, 1);
});

test("an old list doesn't undo what a newer push said, nor does an old push undo a newer list", async () => {
  const { clock, server, page, board } = await start();
  server.hold();
  page.fire("shown");
  await clock.settle();
  const t = clock.now;
  server.pushUpdate(id(1), { [PROMPT]: "new" }, t + 20);
  for (const call of server.waiting()) server.list(call, [changed(document(1), { motion_prompt: "old", lighting: "listed" }, t + 10)]);
  await clock.settle();
  assert.equal(shown(board, PROMPT), "new");
  assert.equal(shown(board, LIGHT), "listed");
  server.pushUpdate(id(1), { [LIGHT]: "older" }, t + 5);
  assert.equal(shown(board, LIGHT), "listed");
});

test("of two refreshes at the same time the second isn't answered by a list from before it", async () => {
  const { clock, server, board } = await start();
  server.hold();
  void board.refresh();
  await clock.settle();
  const [first] = server.waiting();
  void board.refresh();
  server.workspaces = [document(1), document(2)];
  assert.ok(first);
  server.list(first, [document(1)]);
  await clock.settle();
  for (const call of server.waiting()) server.list(call);
  await clock.settle();
  assert.equal(board.state.workspaces.length, 2);
});

test("while a video is made the list is looked at now and then, should the push of its end be lost", async () => {
  const generating = { ...document(1), video: { ...document(1).video, status: /** @type {const} */ ("generating") } };
  const { clock, server, board } = await start({ workspaces: [generating] });
  const { length } = server.lists;
  await clock.advance(300_000);
  assert.ok(server.lists.length > length);
  server.workspaces = [{ ...generating, video: { ...generating.video, status: "completed", url: "/api/videos/x.mp4" }, updated_at: iso(clock.now) }];
  await clock.advance(130_000);
  assert.equal(board.workspace(id(1))?.video.status, "completed");
  assert.equal(board.workspace(id(1))?.video.url, "https://page.example/api/videos/x.mp4");
});

test("an answer of the gateway with a status of success and no envelope is no empty board", async () => {
  const { clock, server, board } = await start();
  server.auto = (call) => call.answer(200, "<html>captive portal</html>");
  await board.refresh();
  await clock.settle();
  assert.equal(board.state.workspaces.length, 1);
  assert.equal(board.state.error?.code, "GATEWAY_ERROR");
});

/** Answers what waits with a list from before, again and again, and only later calls with another. @param {Script} server @param {Clock} clock @param {Document[]} before @param {Document[]} after @param {() => void} confirm */
async function confirmedBeforeTheList(server, clock, before, after, confirm) {
  // All lists that are asked for until the answer comes are from before it; none of them has come.
  const lists = server.waiting();
  confirm();
  server.auto = (call) => server.list(call, after);
  for (const call of lists) server.list(call, before);
  await clock.advance(5_000);
}

test("an edit kept from before a reload that is confirmed before the list, which is older, stays on the screen", async () => {
  const { clock, server, page, board } = await start();
  board.edit(id(1), { [PROMPT]: "kept" }, { now: true });
  await clock.settle();
  page.crash();
  server.take();
  const first = server.lists.length;
  server.auto = (call) => void (server.lists.length === first + 1 && call.fail());
  const next = page.successor();
  await next.open();
  await clock.until(() => server.waiting().length > 0);
  const frame = server.take()[0];
  assert.ok(frame);
  await confirmedBeforeTheList(server, clock, [document(1)], [changed(document(1), { motion_prompt: "kept" }, clock.now)], () => server.confirm(frame, clock.now));
  assert.equal(shown(next.board, PROMPT), "kept");
});

test("a reorder kept from before a reload that is confirmed before the list, which is older, stays on the screen", async () => {
  const { clock, server, page, board } = await start({ workspaces: [document(1), document(5)] });
  board.move(id(5), id(1));
  await clock.settle();
  page.crash();
  const { data } = server.one();
  const first = server.lists.length;
  server.auto = (call) => void (server.lists.length === first + 1 && call.fail());
  const next = page.successor();
  await next.open();
  await clock.until(() => server.waiting().length > 0);
  const frame = server.take()[0];
  assert.ok(frame);
  const moved = server.workspaces.map((one) => ({ ...one, order_index: data.reorder_map[one._id] ?? one.order_index, updated_at: iso(clock.now) }));
  await confirmedBeforeTheList(server, clock, server.workspaces, moved, () => server.answer(frame, "workspace.reorder_confirm", { success: true }));
  assert.deepEqual(next.board.state.workspaces.map(({ _id }) => _id), [5, 1].map(id));
});

test("what a list in pages misses once, because another tab moved it from one page to the other meanwhile, isn't gone", async () => {
  const { clock, server, page, board } = await start({ workspaces: [document(1), document(2), document(3)] });
  /** @type {unknown[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.edit(id(2), { [PROMPT]: "typed" });
  let readings = 0;
  server.auto = (call) => {
    if (!call.url.searchParams.get("cursor")) readings += 1;
    const hasCursor = call.url.searchParams.has("cursor");
    // The second goes to the front after the first page was read; the push of it is still on its way.
    if (!hasCursor) call.succeed({ workspaces: readings === 1 ? [document(1)] : [document(2, { order_index: 0, updated_at: iso(clock.now) }), document(1)], next_cursor: "c" });
    else call.succeed({ workspaces: [document(3)], next_cursor: null });
  };
  page.fire("shown");
  await clock.advance(5_000);
  await board.refresh();
  assert.deepEqual(lost, []);
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [2, 1, 3].map(id));
  assert.equal(shown(board, PROMPT, id(2)), "typed");
});

test("the same after a reload: what was typed into it before isn't lost because the first list in pages misses it", async () => {
  const { clock, server, page, board } = await start({ workspaces: [document(1), document(2), document(3)] });
  /** @type {unknown[]} */
  const lost = [];
  server.handshakes = "refuse";
  server.wire.cut();
  board.edit(id(2), { [PROMPT]: "typed" });
  await clock.settle();
  page.crash();
  server.handshakes = "accept";
  let readings = 0;
  server.auto = (call) => {
    const hasCursor = call.url.searchParams.has("cursor");
    readings += Number(!hasCursor);
    if (hasCursor) call.succeed({ workspaces: [document(3)], next_cursor: null });
    else call.succeed({ workspaces: readings === 1 ? [document(1)] : [document(2, { order_index: 0 }), document(1)], next_cursor: "c" });
  };
  const next = page.successor();
  next.board.on("lost", (detail) => lost.push(detail));
  await next.open();
  await clock.advance(5_000);
  await next.board.refresh();
  assert.deepEqual(lost, []);
  assert.equal(shown(next.board, PROMPT, id(2)), "typed");
});
