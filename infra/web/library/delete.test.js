import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, document, id, shown, start } from "./harness.js";

test("a removed workspace is off the board at once, and deleted on the server at once without a delay", async () => {
  const { server, board } = await start({ workspaces: [document(1), document(2)] });
  board.remove(id(1));
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [id(2)]);
  const frame = server.one();
  assert.equal(frame.type, "workspace.delete");
  assert.deepEqual(frame.data, { workspace_id: id(1) });
  server.answer(frame, "workspace.deleted", { workspace_id: id(1) });
  assert.equal(board.state.saving, "saved");
  assert.equal(board.state.workspaces.length, 1);
});

test("with a delay the server is told after it, and not before", async () => {
  const { clock, server, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  assert.equal(board.state.workspaces.length, 0);
  await clock.advance(4_999);
  assert.equal(server.take().length, 0);
  await clock.advance(1);
  assert.equal(server.one().type, "workspace.delete");
});

test("an undo in time brings the workspace back, with everything, and nothing is ever sent or kept", async () => {
  const { clock, server, browser, board } = await start();
  const before = board.workspace(id(1));
  const undo = board.remove(id(1), { delay: 5_000 });
  await clock.advance(4_000);
  assert.equal(undo(), true);
  assert.deepEqual(board.workspace(id(1)), before);
  await clock.advance(60_000);
  assert.equal(server.take().length, 0);
  assert.deepEqual([...browser.store.kept.keys()], []);
  assert.equal(undo(), false);
});

test("an undo that comes too late says so, and changes nothing", async () => {
  const { clock, server, board } = await start();
  const undo = board.remove(id(1), { delay: 5_000 });
  await clock.advance(5_000);
  assert.equal(undo(), false);
  assert.equal(board.state.workspaces.length, 0);
  server.answer(server.one(), "workspace.deleted", { workspace_id: id(1) });
  assert.equal(undo(), false);
});

test("a page that is left doesn't wait: the deletion is sent before it ends", async () => {
  const { clock, server, page, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  await clock.advance(100);
  page.close();
  assert.equal(server.one().type, "workspace.delete");
});

test("a page that is only hidden keeps the undo", async () => {
  const { clock, server, page, board } = await start();
  const undo = board.remove(id(1), { delay: 5_000 });
  page.fire("hidden");
  await clock.advance(1_000);
  assert.equal(server.take().length, 0);
  assert.equal(undo(), true);
});

test("a deletion that waits survives a crash, and is sent by the next page", async () => {
  const { clock, server, page, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  await clock.settle();
  page.crash();
  const next = page.successor();
  await next.open();
  assert.equal(next.board.state.workspaces.length, 0);
  await clock.advance(6_000);
  assert.equal(server.take()[0]?.type, "workspace.delete");
});

test("`close()` keeps a deletion that waits, and the next one sends it", async () => {
  const { clock, server, page, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  board.close();
  await clock.settle();
  page.crash();
  const next = page.successor();
  await next.open();
  await clock.advance(6_000);
  assert.ok(server.take().some(({ type }) => type === "workspace.delete"));
});

test("a deletion is repeated like any frame, offline too, and once it is sent there is no undo", async () => {
  const { clock, server, board } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  const undo = board.remove(id(1));
  assert.equal(undo(), true);
  assert.equal(board.state.workspaces.length, 1);
  const other = board.remove(id(1));
  await clock.advance(10_000);
  assert.equal(server.take().length, 0);
  server.handshakes = "accept";
  board.retry();
  await clock.settle();
  const first = server.one();
  assert.equal(other(), false);
  await clock.advance(5_000);
  assert.equal(server.take()[0]?.text, first.text);
});

test("WORKSPACE_NOT_FOUND to a deletion is success: it is gone", async () => {
  const { server, board } = await start();
  /** @type {unknown[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.remove(id(1));
  server.refuse(server.one(), "WORKSPACE_NOT_FOUND", { workspace_id: id(1) });
  assert.equal(board.state.workspaces.length, 0);
  assert.equal(board.state.saving, "saved");
  assert.deepEqual(lost, []);
});

test("a workspace that is being deleted doesn't come back with a list that still has it", async () => {
  const { clock, server, board } = await start();
  board.remove(id(1));
  const frame = server.one();
  await board.refresh();
  assert.equal(board.state.workspaces.length, 0);
  server.answer(frame, "workspace.deleted", { workspace_id: id(1) });
  await board.refresh();
  await clock.settle();
  assert.equal(board.state.workspaces.length, 0);
});

test("edits of a workspace that was deleted here are not sent, nor reported as lost", async () => {
  const { clock, server, board } = await start();
  /** @type {unknown[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.edit(id(1), { [PROMPT]: "x" });
  board.remove(id(1));
  const frames = server.take();
  for (const frame of frames) if (frame.type === "workspace.delete") server.answer(frame, "workspace.deleted", { workspace_id: id(1) });
  await clock.advance(60_000);
  assert.deepEqual(lost, []);
  assert.equal(board.state.saving, "saved");
  assert.ok(server.take().every(({ type }) => type !== "workspace.update"));
});

test("a deletion by another tab takes the workspace off, and says in a `lost` event what was typed and not stored", async () => {
  const { clock, server, browser, board } = await start();
  /** @type {any[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.edit(id(1), { [PROMPT]: "sent" }, { now: true });
  board.edit(id(1), { "form_data.lighting": "typed" });
  await clock.settle();
  server.push("workspace.deleted", { workspace_id: id(1) });
  assert.equal(board.state.workspaces.length, 0);
  assert.equal(lost.length, 1);
  assert.deepEqual(lost[0].updates, { [PROMPT]: "sent", "form_data.lighting": "typed" });
  assert.equal(lost[0].workspace._id, id(1));
  assert.equal(lost[0].workspace.form_data.lighting, "typed");
  await clock.advance(60_000);
  assert.equal(board.state.saving, "saved");
  assert.deepEqual([...browser.store.kept.keys()], []);
});

test("a deletion by another tab that nothing was typed into is told by no event", async () => {
  const { server, board } = await start();
  let count = 0;
  board.on("lost", () => (count += 1));
  server.push("workspace.deleted", { workspace_id: id(1) });
  assert.equal(count, 0);
  assert.equal(board.state.workspaces.length, 0);
});

test("WORKSPACE_NOT_FOUND to an edit: the workspace is gone, and `lost` says what was typed", async () => {
  const { server, board } = await start();
  /** @type {any[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.edit(id(1), { [PROMPT]: "x" }, { now: true });
  server.refuse(server.one(), "WORKSPACE_NOT_FOUND", { workspace_id: id(1) });
  assert.deepEqual(lost.map(({ updates }) => updates), [{ [PROMPT]: "x" }]);
  assert.equal(board.state.workspaces.length, 0);
  assert.equal(board.state.saving, "saved");
});

test("a workspace missing in the list: `lost` says what was typed", async () => {
  const { server, board } = await start();
  /** @type {any[]} */
  const lost = [];
  board.on("lost", (detail) => lost.push(detail));
  board.edit(id(1), { [PROMPT]: "x" });
  server.workspaces = [];
  await board.refresh();
  assert.deepEqual(lost.map(({ updates }) => updates), [{ [PROMPT]: "x" }]);
});

test("edits kept from before a reload, of a workspace that was deleted meanwhile, are reported as lost", async () => {
  const { clock, server, page, board } = await start();
  server.handshakes = "refuse";
  server.wire.cut();
  board.edit(id(1), { [PROMPT]: "precious" });
  await clock.settle();
  page.crash();
  server.workspaces = [];
  server.handshakes = "accept";
  const next = page.successor();
  /** @type {any[]} */
  const lost = [];
  next.board.on("lost", (detail) => lost.push(detail));
  await next.open();
  await clock.advance(1_000);
  for (const frame of server.take()) server.refuse(frame, "WORKSPACE_NOT_FOUND", { workspace_id: id(1) });
  await clock.advance(1_000);
  assert.deepEqual(lost.map(({ updates }) => updates), [{ [PROMPT]: "precious" }]);
  assert.equal(next.board.state.saving, "saved");
});

test("an ended listener hears no more events", async () => {
  const { server, board } = await start();
  let count = 0;
  const end = board.on("lost", () => (count += 1));
  board.edit(id(1), { [PROMPT]: "x" });
  end();
  server.push("workspace.deleted", { workspace_id: id(1) });
  assert.equal(count, 0);
});

test("undoing a delete shows what was typed before it", async () => {
  const { board } = await start();
  board.edit(id(1), { [PROMPT]: "x" });
  const undo = board.remove(id(1), { delay: 1_000 });
  undo();
  assert.equal(shown(board, PROMPT), "x");
});

test("while a deletion waits for its undo the board isn't `saving`; once it is due, it is", async () => {
  const { clock, server, board } = await start();
  board.remove(id(1), { delay: 5_000 });
  assert.equal(board.state.saving, "saved");
  await clock.advance(5_000);
  assert.equal(server.take().length, 1);
  assert.equal(board.state.saving, "saving");
});

test("a deletion that the server doesn't answer makes the board `failed`, and can be retried", async () => {
  const { clock, server, board } = await start();
  board.remove(id(1));
  for (let n = 0; n < 30; n += 1) {
    await clock.advance(1_000);
    server.push("pong", {});
  }
  assert.equal(board.state.saving, "failed");
  server.take();
  board.retry();
  server.answer(server.one(), "workspace.deleted", { workspace_id: id(1) });
  assert.equal(board.state.saving, "saved");
});
