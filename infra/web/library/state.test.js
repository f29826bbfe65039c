import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, document, id, iso, prepare, shown, start } from "./harness.js";

/** @param {unknown} value @param {string} [path] */
function assertFrozen(value, path = "state") {
  if (typeof value !== "object" || value === null || value instanceof Error) return;
  assert.ok(Object.isFrozen(value), `${path} can be changed`);
}

test("the state, its list and its workspaces can't be changed", async () => {
  const { board } = await start();
  board.edit(id(1), { [PROMPT]: "a" });
  assertFrozen(board.state);
  assertFrozen(board.state.workspaces, "workspaces");
  for (const workspace of board.state.workspaces) assertFrozen(workspace, "workspace");
  const first = await prepare();
  assertFrozen(first.board.state);
  assertFrozen(first.board.state.workspaces, "workspaces before open()");
});

test("a change makes other objects, and leaves those from before as they were", async () => {
  const { board } = await start();
  const before = board.state;
  const copy = structuredClone(before.workspaces);
  board.edit(id(1), { [PROMPT]: "a", "form_data.checkboxes.x": true });
  assert.notEqual(board.state, before);
  assert.deepEqual(before.workspaces, copy);
});

test("the state is the same object for as long as nothing changed", async () => {
  const { clock, server, board } = await start();
  const before = board.state;
  await clock.advance(60_000);
  await board.refresh();
  server.push("pong", {});
  assert.equal(board.state, before);
  assert.equal(board.workspace(id(1)), before.workspaces[0]);
});

test("of 200 workspaces one edit leaves 199 the same objects, and the parts of the edited one that did not change", async () => {
  const { clock, server, board } = await start({ workspaces: Array.from({ length: 200 }, (_, n) => document(n)) });
  const before = board.state.workspaces;
  board.edit(id(100), { [PROMPT]: "a" });
  const after = board.state.workspaces;
  assert.equal(after.filter((workspace, index) => workspace === before[index]).length, 199);
  assert.equal(after[100]?.video, before[100]?.video);
  assert.equal(after[100]?.ai_collaboration, before[100]?.ai_collaboration);
  await clock.advance(300);
  const saving = board.state.workspaces;
  server.confirm(server.one(), clock.now);
  const saved = board.state.workspaces;
  assert.equal(saved.filter((workspace, index) => workspace === saving[index]).length, 199);
  assert.equal(saved[100]?.form_data, after[100]?.form_data);
});

test("a list of which nothing changed leaves all workspaces the same objects", async () => {
  const { board } = await start({ workspaces: Array.from({ length: 20 }, (_, n) => document(n, { image_url: "/api/uploads/aaaaaaaaaaaaaaaa.png" })) });
  const before = board.state.workspaces;
  await board.refresh();
  assert.equal(board.state.workspaces, before);
});

test("a list in which one workspace changed leaves the others the same objects", async () => {
  const { clock, server, board } = await start({ workspaces: [document(1), document(2)] });
  const before = board.state.workspaces;
  server.workspaces = [document(1), document(2, { order_index: 5, updated_at: iso(clock.now) })];
  await board.refresh();
  assert.equal(board.state.workspaces[0], before[0]);
  assert.notEqual(board.state.workspaces[1], before[1]);
});

test("listeners are told once for all changes of a moment, and not at all without one", async () => {
  const { clock, server, board } = await start();
  let count = 0;
  const end = board.subscribe(() => (count += 1));
  board.edit(id(1), { [PROMPT]: "a" });
  board.edit(id(1), { [LIGHT]: "b" });
  board.create();
  await clock.settle();
  assert.equal(count, 1);
  server.push("pong", {});
  await clock.settle();
  assert.equal(count, 1);
  end();
  board.edit(id(1), { [PROMPT]: "c" });
  await clock.settle();
  assert.equal(count, 1);
});

test("the state is up to date at once, and also within a listener", async () => {
  const { clock, board } = await start();
  /** @type {unknown[]} */
  const seen = [];
  board.subscribe(() => seen.push(shown(board, PROMPT)));
  board.edit(id(1), { [PROMPT]: "a" });
  assert.equal(shown(board, PROMPT), "a");
  await clock.settle();
  assert.deepEqual(seen, ["a"]);
});

test("listeners are told of a change whose state somebody has read already", async () => {
  const { clock, board } = await start();
  let count = 0;
  board.subscribe(() => (count += 1));
  board.edit(id(1), { [PROMPT]: "a" });
  void board.state;
  await clock.settle();
  assert.equal(count, 1);
});

test("a listener that edits, or ends itself, doesn't keep the others from being told", async () => {
  const { clock, board } = await start();
  let count = 0;
  const end = board.subscribe(() => {
    end();
    board.edit(id(1), { [LIGHT]: "x" });
  });
  board.subscribe(() => (count += 1));
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.settle();
  assert.ok(count >= 1);
  assert.equal(shown(board, LIGHT), "x");
});

test("`subscribe` works without its object, as frameworks' stores call it", async () => {
  const { clock, board } = await start();
  const { subscribe } = board;
  let count = 0;
  subscribe(() => (count += 1));
  board.edit(id(1), { [PROMPT]: "a" });
  await clock.settle();
  assert.equal(count, 1);
});

test("the board is ordered by `order_index`, then by the date of creation", async () => {
  const { board } = await start({ workspaces: [
    document(3, { order_index: 5, created_at: iso(3_000) }), document(1, { order_index: 5, created_at: iso(1_000) }), document(2, { order_index: 0, created_at: iso(9_000) }),
  ] });
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [id(2), id(1), id(3)]);
});

test("`saving` is the worst of all", async () => {
  const { clock, server, board } = await start({ workspaces: [document(1), document(2)] });
  assert.equal(board.state.saving, "saved");
  board.edit(id(1), { [PROMPT]: "bad" }, { now: true });
  assert.equal(board.state.saving, "saving");
  server.refuse(server.one(), "INVALID_DATA", { field: "updates", path: PROMPT });
  board.edit(id(2), { [PROMPT]: "fine" });
  assert.equal(board.state.saving, "failed");
  assert.equal(board.workspace(id(2))?.saving, "saving");
  await clock.advance(300);
});

/** @param {number} expires in Unix seconds @param {string} signature */
const signed = (expires, signature) => `/api/uploads/abcdefghijklmnop.png?expires=${expires}&signature=${signature}`;

test("a signed address stays while it is good, so that the picture isn't loaded again, and changes before its end", async () => {
  const { clock, server, page, board } = prepare();
  const seconds = Math.floor(clock.now / 1_000);
  server.workspaces = [document(1, { image_path: "uploads/abcdefghijklmnop.png", image_url: signed(seconds + 3_600, "one") })];
  await board.open();
  await clock.settle();
  const first = board.workspace(id(1));
  assert.match(first?.image_url ?? "", /^https:\/\/page\.example\/api\/uploads\/.*signature=one$/);
  await clock.advance(1_800_000);
  server.workspaces = [document(1, { image_path: "uploads/abcdefghijklmnop.png", image_url: signed(seconds + 5_400, "two") })];
  page.fire("shown");
  await clock.settle();
  assert.equal(board.workspace(id(1)), first);
  await clock.advance(1_780_000);
  server.workspaces = [document(1, { image_path: "uploads/abcdefghijklmnop.png", image_url: signed(seconds + 7_200, "three") })];
  page.fire("shown");
  await clock.settle();
  assert.match(board.workspace(id(1))?.image_url ?? "", /signature=three$/);
  // A page that asks has seen that an address is no good, whatever the clock says.
  server.workspaces = [document(1, { image_path: "uploads/abcdefghijklmnop.png", image_url: signed(seconds + 9_000, "four") })];
  await board.refresh();
  assert.match(board.workspace(id(1))?.image_url ?? "", /signature=four$/);
});

test("a signed address that another workspace's picture has is not mixed up", async () => {
  const { clock, server, board } = prepare({ workspaces: [] });
  const expires = Math.floor(clock.now / 1_000) + 3_600;
  server.workspaces = [
    document(1, { image_url: `/api/uploads/aaaaaaaaaaaaaaaa.png?expires=${expires}&signature=a` }),
    document(2, { image_url: `/api/uploads/bbbbbbbbbbbbbbbb.png?expires=${expires}&signature=b` }),
  ];
  await board.open();
  assert.match(board.workspace(id(1))?.image_url ?? "", /aaaa.*signature=a/);
  assert.match(board.workspace(id(2))?.image_url ?? "", /bbbb.*signature=b/);
});

test("a picture that was just chosen doesn't flicker when the push or list brings it with another signature", async () => {
  const { clock, server, board } = await start();
  const expires = Math.floor(clock.now / 1_000) + 3_600;
  const updates = { image_path: "uploads/abcdefghijklmnop.png", image_url: signed(expires, "one") };
  board.edit(id(1), updates, { now: true });
  const before = shown(board, "image_url");
  server.confirm(server.one(), clock.now + 1);
  server.workspaces = [document(1, { ...updates, image_url: signed(expires + 60, "two"), updated_at: iso(clock.now + 1) })];
  await board.refresh();
  assert.equal(shown(board, "image_url"), before);
});
