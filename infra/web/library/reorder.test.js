import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, document, id, start } from "./harness.js";

/** @param {Awaited<ReturnType<typeof start>>["board"]} board */
const order = (board) => board.state.workspaces.map(({ _id, key }) => _id ?? key);

/** @param {number[]} places */
const boardOf = (places) => ({ workspaces: places.map((order_index, index) => document(index + 1, { order_index })) });

test("where there is room one workspace alone is moved", async () => {
  const { server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  assert.deepEqual(order(board), [1, 3, 2].map(id));
  const { type, data } = server.one();
  assert.equal(type, "workspace.reorder");
  assert.deepEqual(Object.keys(data.reorder_map), [id(3)]);
  const place = data.reorder_map[id(3)];
  assert.ok(place > 0 && place < 10 && Number.isInteger(place));
});

test("to the end, to the front, and by its key", async () => {
  const { server, board } = await start(boardOf([5, 10, 20]));
  board.move(id(1), null);
  assert.deepEqual(order(board), [2, 3, 1].map(id));
  board.move(id(3), id(2));
  assert.deepEqual(order(board), [3, 2, 1].map(id));
  for (const frame of server.take()) server.answer(frame, "workspace.reorder_confirm", { success: true });
  assert.deepEqual(order(board), [3, 2, 1].map(id));
  assert.equal(board.state.saving, "saved");
});

test("where there is no room all get places with room between them, in one frame, all valid", async () => {
  const { server, board } = await start(boardOf([0, 1, 2, 3]));
  board.move(id(4), id(2));
  assert.deepEqual(order(board), [1, 4, 2, 3].map(id));
  const { data } = server.one();
  const places = Object.values(data.reorder_map);
  assert.ok(places.every((place) => Number.isInteger(place) && place >= 0 && place <= 1_000_000));
  const { length } = server.frames;
  board.move(id(3), id(4));
  assert.equal(Object.keys(server.frames[length]?.data.reorder_map).length, 1);
  assert.deepEqual(order(board), [1, 3, 4, 2].map(id));
});

test("equal places, as concurrent creations leave them, can be moved between", async () => {
  const { board } = await start(boardOf([7, 7, 7, 7]));
  board.move(id(4), id(2));
  assert.deepEqual(order(board), [1, 4, 2, 3].map(id));
  board.move(id(1), null);
  assert.deepEqual(order(board), [4, 2, 3, 1].map(id));
});

test("at the largest place there is still an end", async () => {
  const { server, board } = await start(boardOf([999_999, 1_000_000, 1_000_000]));
  board.move(id(1), null);
  assert.deepEqual(order(board), [2, 3, 1].map(id));
  assert.ok(Object.values(server.one().data.reorder_map).every((place) => place >= 0 && place <= 1_000_000));
});

test("every move on boards of every kind ends where it was meant, with valid places", async () => {
  for (const places of [[0], [0, 0], [0, 1], [3, 9, 9], [0, 1_000_000], [1_000_000, 1_000_000, 1_000_000], [0, 1, 2, 3, 4]]) {
    for (let from = 0; from < places.length; from += 1) {
      for (let to = 0; to <= places.length; to += 1) {
        const { server, board } = await start(boardOf(places));
        const before = order(board);
        const moved = /** @type {string} */ (before[from]);
        const target = before[to] ?? null;
        board.move(moved, target);
        const wanted = before.filter((one) => one !== moved || moved === target);
        if (moved !== target) wanted.splice(target === null ? wanted.length : wanted.indexOf(target), 0, moved);
        assert.deepEqual(order(board), wanted, `${places}: ${from} before ${to}`);
        for (const { data } of server.take()) for (const place of Object.values(data.reorder_map)) assert.ok(place >= 0 && place <= 1_000_000);
      }
    }
  }
});

test("a board of hundreds is renumbered in frames below 32 KiB", async () => {
  const { server, board } = await start(boardOf(Array.from({ length: 1_500 }, () => 0)));
  board.move(id(1_500), id(1));
  const frames = server.take();
  assert.ok(frames.length > 1);
  for (const { text } of frames) assert.ok(Buffer.byteLength(text) < 32 * 1024);
  assert.equal(order(board)[0], id(1_500));
});

test("workspaces that the server has not made yet can be moved; the frame waits for their ids", async () => {
  const { clock, server, board } = await start(boardOf([0, 10]));
  const key = board.create();
  const create = server.one();
  board.move(key, id(2));
  assert.deepEqual(order(board), [id(1), key, id(2)]);
  await clock.advance(1_000);
  assert.equal(server.take().length, 0);
  server.created(create, id(9), 11);
  await clock.settle();
  const { data } = server.one();
  assert.ok(data.reorder_map[id(9)] > 0 && data.reorder_map[id(9)] < 10);
  assert.deepEqual(order(board), [1, 9, 2].map(id));
});

test("another tab's reorder is shown", async () => {
  const { server, board } = await start(boardOf([0, 10, 20]));
  server.push("workspace.reordered", { reorder_map: { [id(3)]: 5 } });
  assert.deepEqual(order(board), [1, 3, 2].map(id));
});

test("an own reorder on its way stays above another tab's", async () => {
  const { server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  server.push("workspace.reordered", { reorder_map: { [id(3)]: 30 } });
  assert.deepEqual(order(board), [1, 3, 2].map(id));
});

test("after reorders of two tabs that may have overtaken each other the list is loaded", async () => {
  const { clock, server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  const frame = server.one();
  server.push("workspace.reordered", { reorder_map: { [id(3)]: 30 } });
  const { length } = server.lists;
  server.workspaces = boardOf([0, 10, 30]).workspaces;
  server.answer(frame, "workspace.reorder_confirm", { success: true });
  await clock.advance(5_000);
  assert.ok(server.lists.length > length);
  assert.deepEqual(order(board), [1, 2, 3].map(id));
});

test("a list that was asked for before another tab's reorder, and comes after it, doesn't undo it", async () => {
  const { clock, server, page, board } = await start(boardOf([0, 10, 20]));
  server.hold();
  page.fire("shown");
  await clock.settle();
  server.push("workspace.reordered", { reorder_map: { [id(3)]: 5 } });
  for (const call of server.waiting()) server.list(call);
  await clock.settle();
  assert.deepEqual(order(board), [1, 3, 2].map(id));
});

test("a reorder with a workspace that is gone is sent again without it", async () => {
  const { clock, server, board } = await start(boardOf([0, 1, 2]));
  board.move(id(3), id(1));
  const frame = server.one();
  assert.ok(id(2) in frame.data.reorder_map);
  server.workspaces = [document(1, { order_index: 0 }), document(3, { order_index: 2 })];
  server.refuse(frame, "WORKSPACE_NOT_FOUND", { workspace_id: id(2) });
  await clock.settle();
  const again = server.one();
  assert.equal(id(2) in again.data.reorder_map, false);
  assert.ok(id(3) in again.data.reorder_map || id(1) in again.data.reorder_map);
  server.answer(again, "workspace.reorder_confirm", { success: true });
  await clock.settle();
  assert.deepEqual(order(board), [3, 1].map(id));
  assert.equal(board.state.saving, "saved");
});

test("a move to where it is, or of what there is not, breaks nothing", async () => {
  const { clock, server, board } = await start(boardOf([0, 10]));
  board.move(id(1), id(1));
  board.move(id(7), id(1));
  await clock.advance(1_000);
  assert.deepEqual(order(board), [1, 2].map(id));
  assert.equal(server.take().length, 0);
});

test("a move before a workspace that there is not (any more) leaves the order, or goes to the end", async () => {
  const { board } = await start(boardOf([0, 10, 20]));
  board.move(id(1), id(7));
  assert.ok([[1, 2, 3], [2, 3, 1]].some((wanted) => JSON.stringify(wanted.map(id)) === JSON.stringify(order(board))));
});

test("a workspace that was created by another tab at a place in the middle is shown there", async () => {
  const { server, board } = await start(boardOf([0, 10]));
  server.push("workspace.created", { workspace_id: id(9), order_index: 5, created_at: document(9).created_at, workspace: document(9, { order_index: 5 }) });
  assert.deepEqual(order(board), [1, 9, 2].map(id));
});

test("of two own reorders, of which the later is confirmed first, the later stays on the screen", async () => {
  const { server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  board.move(id(3), id(1));
  const [first, second] = server.take();
  assert.ok(first && second);
  const wanted = order(board);
  server.answer(second, "workspace.reorder_confirm", { success: true });
  assert.deepEqual(order(board), wanted);
  server.answer(first, "workspace.reorder_confirm", { success: true });
  assert.deepEqual(order(board), wanted);
});

test("a board that is moved about keeps what is typed", async () => {
  const { server, board } = await start(boardOf([0, 10]));
  board.edit(id(1), { [PROMPT]: "x" });
  board.move(id(1), null);
  assert.equal(server.take().filter(({ type }) => type === "workspace.reorder").length, 1);
  assert.equal(board.workspace(id(1))?.form_data.motion_prompt, "x");
});

test("the late confirmation of a reorder doesn't put it above what another tab did since, and the list knew", async () => {
  const { clock, server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  await clock.advance(5_000);
  const [first, again] = server.take();
  assert.ok(first && again);
  // Carried out long ago; since then another has put it elsewhere, which our list knows, while its push is lost.
  server.workspaces = boardOf([0, 10, 30]).workspaces.map((one) => ({ ...one, updated_at: new Date(clock.now).toISOString() }));
  await board.refresh();
  server.answer(again, "workspace.reorder_confirm", { success: true });
  await clock.advance(10_000);
  assert.deepEqual(order(board), [1, 2, 3].map(id));
  assert.equal(board.workspace(id(3))?.order_index, 30);
});

test("a reorder that is confirmed after a list which has a newer one of another tab's doesn't undo that", async () => {
  const { clock, server, board } = await start(boardOf([0, 10, 20]));
  board.move(id(3), id(2));
  const frame = server.one();
  server.workspaces = boardOf([0, 10, 30]).workspaces.map((one) => ({ ...one, updated_at: new Date(clock.now).toISOString() }));
  await board.refresh();
  server.answer(frame, "workspace.reorder_confirm", { success: true });
  await clock.advance(10_000);
  assert.equal(board.workspace(id(3))?.order_index, 30);
});

test("a reorder that waits behind one of a dead tab waits, too, when that is sent again without a workspace that is gone", async () => {
  const { clock, server, browser, page, board } = await start(boardOf([0, 0, 0, 0]));
  // Another tab, with an id of its own.
  const second = browser.page();
  await second.open();
  second.board.edit(id(1), { [PROMPT]: "x" }, { now: true });
  const own = server.one();
  server.confirm(own, clock.now);
  board.move(id(4), id(1));
  server.one();
  await clock.settle();
  page.crash();
  second.crash();
  const next = second.successor();
  await next.open();
  next.board.move(id(3), null);
  await clock.settle();
  const [first, ...none] = server.take().filter(({ type }) => type === "workspace.reorder");
  assert.ok(first && none.every(({ text }) => text === first.text));
  server.refuse(first, "WORKSPACE_NOT_FOUND", { workspace_id: id(2) });
  await clock.settle();
  const sent = server.take().filter(({ type }) => type === "workspace.reorder");
  assert.equal(new Set(sent.map(({ client_id }) => client_id)).size, 1, `in flight at once: ${sent.map(({ text }) => text)}`);
  server.onFrame = (frame) => server.answer(frame, "workspace.reorder_confirm", { success: true });
  for (const frame of sent) server.onFrame(frame);
  await clock.advance(1_000);
  const last = server.frames.filter(({ type, data }) => type === "workspace.reorder" && id(3) in data.reorder_map).at(-1);
  assert.equal(last?.client_id, own.client_id);
});
