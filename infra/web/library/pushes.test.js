import assert from "node:assert/strict";
import test from "node:test";
import { LIGHT, PROMPT, SHOT, document, id, iso, shown, start } from "./harness.js";

test("what others write is shown", async () => {
  const { clock, server, board } = await start();
  server.pushUpdate(id(1), { [PROMPT]: "theirs", "form_data.checkboxes.a": true, image_path: "uploads/aaaaaaaaaaaaaaaa.png" }, clock.now);
  assert.equal(shown(board, PROMPT), "theirs");
  assert.deepEqual(shown(board, "form_data.checkboxes"), { a: true });
  assert.equal(shown(board, "image_path"), "uploads/aaaaaaaaaaaaaaaa.png");
  assert.equal(shown(board, "updated_at"), iso(clock.now));
});

test("of two events that overtook each other, each path keeps the newer; paths that only the older has are applied", async () => {
  const { clock, server, board } = await start();
  server.pushUpdate(id(1), { [PROMPT]: "new" }, clock.now + 2);
  server.pushUpdate(id(1), { [PROMPT]: "old", [LIGHT]: "also" }, clock.now + 1);
  assert.equal(shown(board, PROMPT), "new");
  assert.equal(shown(board, LIGHT), "also");
  assert.equal(shown(board, "updated_at"), iso(clock.now + 2));
});

test("an event that comes twice changes nothing the second time", async () => {
  const { clock, server, board } = await start();
  server.pushUpdate(id(1), { [PROMPT]: "a" }, clock.now);
  const before = board.state;
  server.pushUpdate(id(1), { [PROMPT]: "a" }, clock.now);
  assert.equal(board.state, before);
});

test("an event from before the list that is shown is not applied", async () => {
  const { server, board } = await start();
  server.pushUpdate(id(1), { [PROMPT]: "ancient" }, Date.parse(document(1).updated_at));
  assert.equal(shown(board, PROMPT), "");
});

test("own edits that are not stored yet stay above what others write", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "mine" });
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 1);
  assert.equal(shown(board, PROMPT), "mine");
  await clock.advance(300);
  server.pushUpdate(id(1), { [PROMPT]: "theirs 2" }, clock.now + 1);
  assert.equal(shown(board, PROMPT), "mine");
  server.confirm(server.one(), clock.now + 2);
  assert.equal(shown(board, PROMPT), "mine");
});

test("an own edit's answer that comes after another's newer push doesn't undo that push", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  server.pushUpdate(id(1), { [PROMPT]: "theirs, later" }, clock.now + 2);
  server.confirm(server.one(), clock.now + 1);
  assert.equal(shown(board, PROMPT), "theirs, later");
});

test("another's older push that comes after the own edit's answer doesn't undo the own edit", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  server.confirm(server.one(), clock.now + 2);
  server.pushUpdate(id(1), { [PROMPT]: "theirs, earlier" }, clock.now + 1);
  assert.equal(shown(board, PROMPT), "mine");
});

test("a superseded frame that is confirmed with somebody else's `updated_at` doesn't put its old value above theirs", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "old" }, { now: true });
  board.edit(id(1), { [PROMPT]: "new" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  // The server: `new` at +1, theirs at +2, and then `old`, which is void, is confirmed with +2.
  server.confirm(second, clock.now + 1);
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 2);
  server.confirm(first, clock.now + 2);
  assert.equal(shown(board, PROMPT), "theirs");
});

test("the same when theirs comes last", async () => {
  const { clock, server, board } = await start();
  board.edit(id(1), { [PROMPT]: "old" }, { now: true });
  board.edit(id(1), { [PROMPT]: "new" }, { now: true });
  const [first, second] = server.take();
  assert.ok(first && second);
  server.confirm(first, clock.now + 2);
  server.confirm(second, clock.now + 1);
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 2);
  assert.equal(shown(board, PROMPT), "theirs");
});

test("in whatever order answers and pushes of one history arrive, the end is the server's", async () => {
  // What the server did: old (own) at +1, theirs at +2, new (own) at +3.
  const deliveries = ["old", "theirs", "new"];
  const orders = deliveries.flatMap((a) => deliveries.filter((b) => b !== a).map((b) => [a, b, deliveries.find((c) => c !== a && c !== b)]));
  for (const order of orders) {
    const { clock, server, board } = await start();
    board.edit(id(1), { [PROMPT]: "old", [LIGHT]: "l" }, { now: true });
    board.edit(id(1), { [PROMPT]: "new" }, { now: true });
    const [first, second] = server.take();
    assert.ok(first && second);
    for (const delivery of order) {
      if (delivery === "old") server.confirm(first, clock.now + 1);
      else if (delivery === "new") server.confirm(second, clock.now + 3);
      else server.pushUpdate(id(1), { [PROMPT]: "theirs", [SHOT]: "s" }, clock.now + 2);
      assert.equal(shown(board, PROMPT), "new", `${order} at ${delivery}`);
    }
    assert.deepEqual([LIGHT, SHOT].map((path) => shown(board, path)), ["l", "s"]);
    assert.equal(board.state.saving, "saved");
  }
});

test("what others write into a field where somebody is typing is not shown until it is released; then it is", async () => {
  const { clock, server, board } = await start();
  const release = board.hold(id(1), PROMPT);
  server.pushUpdate(id(1), { [PROMPT]: "theirs", [LIGHT]: "shown" }, clock.now + 1);
  assert.equal(shown(board, PROMPT), "");
  assert.equal(shown(board, LIGHT), "shown");
  release();
  assert.equal(shown(board, PROMPT), "theirs");
  release();
  assert.equal(shown(board, PROMPT), "theirs");
});

test("own edits of a held field are shown, and stay after they are stored, though another's came before", async () => {
  const { clock, server, board } = await start();
  const release = board.hold(id(1), PROMPT);
  board.edit(id(1), { [PROMPT]: "mine" }, { now: true });
  server.confirm(server.one(), clock.now + 1);
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 2);
  assert.equal(shown(board, PROMPT), "mine");
  release();
  assert.equal(shown(board, PROMPT), "theirs");
});

test("two holds of one field end with the second release; the same release twice counts once", async () => {
  const { clock, server, board } = await start();
  const one = board.hold(id(1), PROMPT);
  const two = board.hold(id(1), PROMPT);
  server.pushUpdate(id(1), { [PROMPT]: "theirs" }, clock.now + 1);
  one();
  one();
  assert.equal(shown(board, PROMPT), "");
  two();
  assert.equal(shown(board, PROMPT), "theirs");
});

test("a hold outlives a list, and a workspace that is deleted while a field of it is held is gone", async () => {
  const { clock, server, board } = await start();
  const release = board.hold(id(1), PROMPT);
  server.workspaces = [{ ...document(1), form_data: { ...document(1).form_data, motion_prompt: "listed" }, updated_at: iso(clock.now) }];
  await board.refresh();
  assert.equal(shown(board, PROMPT), "");
  server.push("workspace.deleted", { workspace_id: id(1) });
  assert.equal(board.state.workspaces.length, 0);
  release();
  assert.equal(board.state.workspaces.length, 0);
});

test("a video's states are told, with its address absolute, and the takes before it", async () => {
  const { clock, server, board } = await start();
  const video = () => board.workspace(id(1))?.video;
  server.push("video.status_update", { workspace_id: id(1), status: "generating", updated_at: iso(clock.now + 1) });
  assert.equal(video()?.status, "generating");
  server.push("video.status_update", { workspace_id: id(1), status: "completed", video_url: "/api/videos/one.mp4", updated_at: iso(clock.now + 2) });
  assert.equal(video()?.url, "https://page.example/api/videos/one.mp4");
  server.push("video.status_update", { workspace_id: id(1), status: "generating", updated_at: iso(clock.now + 3) });
  assert.equal(video()?.url, null);
  assert.deepEqual(video()?.history.map(({ url }) => url), ["https://page.example/api/videos/one.mp4"]);
  server.push("video.status_update", { workspace_id: id(1), status: "failed", error: "违规", updated_at: iso(clock.now + 4) });
  assert.equal(video()?.error, "违规");
  server.push("video.status_update", { workspace_id: id(1), status: "generating", updated_at: iso(clock.now + 3) });
  assert.equal(video()?.status, "failed");
});

test("a video's push doesn't keep an older form's push from being applied, nor the other way round", async () => {
  const { clock, server, board } = await start();
  server.push("video.status_update", { workspace_id: id(1), status: "generating", updated_at: iso(clock.now + 5) });
  server.pushUpdate(id(1), { [PROMPT]: "a" }, clock.now + 4);
  server.push("ai.suggested", { workspace_id: id(1), entry: { user_input: "u", suggestions: { reasoning: "r" }, created_at: iso(clock.now + 3) }, updated_at: iso(clock.now + 3) });
  assert.equal(shown(board, PROMPT), "a");
  assert.equal(board.workspace(id(1))?.video.status, "generating");
  assert.equal(board.workspace(id(1))?.ai_collaboration.length, 1);
});

test("exchanges with the assistant add up in whatever order they come, once each, the oldest first, fifty at most", async () => {
  const { clock, server, board } = await start();
  const entry = (/** @type {number} */ n) => ({ user_input: `${n}`, suggestions: { reasoning: "r" }, created_at: iso(clock.now + n) });
  for (const n of [2, 1, 2, 3]) server.push("ai.suggested", { workspace_id: id(1), entry: entry(n), updated_at: iso(clock.now + n) });
  assert.deepEqual(board.workspace(id(1))?.ai_collaboration.map(({ user_input }) => user_input), ["1", "2", "3"]);
  for (let n = 4; n < 60; n += 1) server.push("ai.suggested", { workspace_id: id(1), entry: entry(n), updated_at: iso(clock.now + n) });
  assert.equal(board.workspace(id(1))?.ai_collaboration.length, 50);
  assert.equal(board.workspace(id(1))?.ai_collaboration.at(-1)?.user_input, "59");
});

test("pushes about workspaces that are not known are ignored", async () => {
  const { clock, server, board } = await start();
  const before = board.state.workspaces;
  server.pushUpdate(id(7), { [PROMPT]: "x" }, clock.now);
  server.push("video.status_update", { workspace_id: id(7), status: "generating", updated_at: iso(clock.now) });
  server.push("workspace.reordered", { reorder_map: { [id(7)]: 0 } });
  assert.equal(board.state.workspaces, before);
});

test("an update that overtakes the creation it belongs to is not lost", async () => {
  const { clock, server, board } = await start();
  server.pushUpdate(id(9), { [PROMPT]: "early" }, clock.now + 2);
  server.push("workspace.created", { workspace_id: id(9), order_index: 9, created_at: iso(clock.now + 1), workspace: document(9, { created_at: iso(clock.now + 1), updated_at: iso(clock.now + 1) }) });
  server.workspaces = [document(1), { ...document(9), form_data: { ...document(9).form_data, motion_prompt: "early" }, updated_at: iso(clock.now + 2) }];
  await clock.advance(10_000);
  assert.equal(shown(board, PROMPT, id(9)), "early");
});

test("another's creation that comes twice makes one workspace, and the second doesn't undo what was written since", async () => {
  const { clock, server, board } = await start();
  const created = { workspace_id: id(9), order_index: 9, created_at: iso(clock.now), workspace: document(9, { updated_at: iso(clock.now) }) };
  server.push("workspace.created", created);
  server.pushUpdate(id(9), { [PROMPT]: "x" }, clock.now + 1);
  server.push("workspace.created", created);
  assert.equal(board.state.workspaces.length, 2);
  assert.equal(shown(board, PROMPT, id(9)), "x");
  server.workspaces = [document(1), document(9, { order_index: 0, updated_at: iso(clock.now + 2) })];
  await board.refresh();
  server.push("workspace.created", created);
  assert.equal(board.workspace(id(9))?.order_index, 0);
});

test("an older child's push doesn't come back below a newer scalar, whatever the order", async () => {
  const { clock, server, board } = await start();
  server.pushUpdate(id(1), { "form_data.extra.a": 1 }, clock.now + 1);
  server.pushUpdate(id(1), { "form_data.extra.b": 2 }, clock.now + 3);
  server.pushUpdate(id(1), { "form_data.extra.a": 0 }, clock.now);
  assert.deepEqual(shown(board, "form_data.extra"), { a: 1, b: 2 });
});

test("a workspace that is not known is loaded soon, though others go on writing into it all the time", async () => {
  const { clock, server, board } = await start();
  server.workspaces = [document(1), document(9)];
  for (let n = 0; n < 20; n += 1) {
    server.pushUpdate(id(9), { [PROMPT]: `${n}` }, clock.now);
    await clock.advance(500);
  }
  assert.equal(board.workspace(id(9))?._id, id(9));
});

test("a reorder that overtakes the creation of a workspace is not lost", async () => {
  const { clock, server, board } = await start();
  server.push("workspace.reordered", { reorder_map: { [id(9)]: 0 } });
  server.push("workspace.created", { workspace_id: id(9), order_index: 9, created_at: iso(clock.now), workspace: document(9) });
  server.workspaces = [document(9, { order_index: 0, updated_at: iso(clock.now + 1) }), document(1)];
  await clock.advance(10_000);
  assert.deepEqual(board.state.workspaces.map(({ _id }) => _id), [9, 1].map(id));
});
