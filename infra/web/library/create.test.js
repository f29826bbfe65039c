import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, document, id, iso, shown, start } from "./harness.js";

test("a workspace is on the board at once, at the end, and has its id when the server has made it; its key stays", async () => {
  const { server, board } = await start();
  const key = board.create();
  assert.equal(board.state.workspaces.at(-1)?.key, key);
  assert.equal(board.workspace(key)?._id, null);
  assert.deepEqual(board.workspace(key)?.fields, { "": { state: "saving", error: null } });
  assert.equal(board.workspace(key)?.video.status, "pending");
  const frame = server.one();
  assert.equal(frame.type, "workspace.create");
  assert.deepEqual(frame.data, {});
  server.created(frame, id(9), 2);
  const made = board.workspace(key);
  assert.equal(made?._id, id(9));
  assert.equal(made?.key, key);
  assert.equal(board.workspace(id(9)), made);
  assert.equal(board.state.workspaces.length, 2);
  assert.equal(board.state.saving, "saved");
});

test("`order_index` says where", async () => {
  const { server, board } = await start({ workspaces: [document(5)] });
  const key = board.create({ order_index: 0 });
  assert.deepEqual(server.one().data, { order_index: 0 });
  assert.equal(board.state.workspaces[0]?.key, key);
});

test("a create is repeated with the same bytes, and makes one workspace on the board", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  await clock.advance(5_000);
  const [first, again] = server.take();
  assert.ok(first && again);
  assert.equal(first.text, again.text);
  server.workspaces = [document(1), document(9)];
  server.created(first, id(9));
  server.created(again, id(9));
  await clock.settle();
  assert.equal(board.state.workspaces.filter((workspace) => workspace.key === key || workspace._id === id(9)).length, 1);
});

test("what is typed into a workspace that is not made yet is shown, kept, and sent when it is", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  const frame = server.one();
  board.edit(key, { [PROMPT]: "early" });
  await clock.advance(1_000);
  assert.equal(server.take().length, 0);
  assert.equal(shown(board, PROMPT, key), "early");
  server.created(frame, id(9));
  await clock.settle();
  const update = server.one();
  assert.deepEqual(update.data, { workspace_id: id(9), updates: { [PROMPT]: "early" } });
  assert.ok(update.timestamp > frame.timestamp);
  server.confirm(update, clock.now + 1);
  assert.equal(shown(board, PROMPT, key), "early");
  assert.equal(board.state.saving, "saved");
});

test("a workspace made and typed into offline survives a reload, and is made once", async () => {
  const { clock, server, page, board } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  const key = board.create();
  board.edit(key, { [PROMPT]: "early" });
  await clock.advance(1_000);
  page.crash();
  const next = page.successor();
  await next.open();
  assert.equal(next.board.state.workspaces.length, 2);
  assert.equal(shown(next.board, PROMPT, key), "early");
  server.handshakes = "accept";
  next.board.retry();
  await clock.settle();
  const create = server.one();
  assert.equal(create.type, "workspace.create");
  server.created(create, id(9));
  await clock.settle();
  const update = server.one();
  assert.deepEqual(update.data, { workspace_id: id(9), updates: { [PROMPT]: "early" } });
});

test("a crash between the creation's answer and the edits' sending loses neither", async () => {
  const { clock, server, page, board } = await start();
  const key = board.create();
  const frame = server.one();
  board.edit(key, { [PROMPT]: "early" });
  await clock.settle();
  server.handshakes = "refuse";
  server.created(frame, id(9));
  server.wire.cut();
  await clock.settle();
  page.crash();
  server.workspaces = [document(1), document(9)];
  server.handshakes = "accept";
  server.take();
  const next = page.successor();
  await next.open();
  await clock.advance(1_000);
  assert.ok(server.sent().some(({ workspace_id, updates }) => workspace_id === id(9) && updates?.[PROMPT] === "early"));
  assert.equal(next.board.state.workspaces.length, 2);
});

test("the push of a creation of ours that overtakes its answer makes no second workspace in the end", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  const frame = server.one();
  server.push("workspace.created", { workspace_id: id(9), order_index: 9, created_at: iso(clock.now), workspace: document(9) });
  server.created(frame, id(9));
  await clock.settle();
  assert.equal(board.state.workspaces.length, 2);
  assert.equal(board.workspace(key)?._id, id(9));
});

test("a list that has the workspace before the create is answered makes no second one in the end", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  const frame = server.one();
  server.workspaces = [document(1), document(9)];
  await board.refresh();
  server.created(frame, id(9));
  await clock.settle();
  assert.equal(board.state.workspaces.length, 2);
  assert.equal(board.workspace(key)?._id, id(9));
});

test("a create that is repeated after the workspace was deleted elsewhere leaves no ghost on the board", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  await clock.advance(5_000);
  const [first] = server.take();
  assert.ok(first);
  server.created(first, id(9));
  await clock.advance(2_000);
  assert.equal(board.workspace(key), undefined);
  assert.equal(board.state.workspaces.length, 1);
});

test("typing goes on under the key while the answer comes, and a hold stays", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  const frame = server.one();
  const release = board.hold(key, LIGHT);
  board.edit(key, { [LIGHT]: "x" });
  server.created(frame, id(9));
  board.edit(key, { [LIGHT]: "xy" });
  await clock.advance(300);
  const frames = server.take();
  assert.equal(frames.sort((a, b) => a.timestamp - b.timestamp).at(-1)?.data.updates[LIGHT], "xy");
  for (const update of frames) server.confirm(update);
  server.pushUpdate(id(9), { [LIGHT]: "theirs" }, clock.now + 5_000);
  assert.equal(shown(board, LIGHT, key), "xy");
  release();
  assert.equal(shown(board, LIGHT, key), "theirs");
});

test("a create that is refused has failed, is kept, and can be retried", async () => {
  const { server, board } = await start();
  const key = board.create({ order_index: 5 });
  server.refuse(server.one(), "INVALID_DATA", { field: "order_index" });
  assert.equal(board.workspace(key)?.saving, "failed");
  assert.equal(board.workspace(key)?.fields[""]?.error?.code, "INVALID_DATA");
  board.retry(key);
  server.created(server.one(), id(9));
  assert.equal(board.workspace(key)?._id, id(9));
});

test("a workspace that is removed before the server made it is gone at once, and in the end from the server too", async () => {
  const { clock, server, board } = await start();
  const key = board.create();
  const [create] = server.take();
  assert.ok(create);
  board.edit(key, { [PROMPT]: "x" });
  board.remove(key);
  assert.equal(board.workspace(key), undefined);
  await clock.advance(1_000);
  server.created(create, id(9));
  await clock.advance(1_000);
  const frames = server.take();
  const remove = frames.find(({ type }) => type === "workspace.delete");
  assert.equal(remove?.data.workspace_id, id(9));
  for (const frame of frames) if (frame !== remove) server.confirm(frame);
  server.answer(/** @type {any} */ (remove), "workspace.deleted", { workspace_id: id(9) });
  assert.equal(board.state.workspaces.length, 1);
  assert.equal(board.state.saving, "saved");
});

test("several workspaces made at once each get their own id", async () => {
  const { server, board } = await start();
  const keys = [board.create(), board.create(), board.create()];
  const frames = server.take();
  server.created(/** @type {any} */ (frames[2]), id(12), 4);
  server.created(/** @type {any} */ (frames[0]), id(10), 2);
  server.created(/** @type {any} */ (frames[1]), id(11), 3);
  assert.deepEqual(keys.map((key) => board.workspace(key)?._id), [10, 11, 12].map(id));
});
