import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT, document, id, iso, shown, start, watch } from "./harness.js";

const GENERATE = "/api/generate/video";
const SUGGEST = "/api/ai/suggest";
const PICTURE = { image_path: "uploads/abcdefghijklmnop.png", image_url: "/api/uploads/abcdefghijklmnop.png?expires=1&signature=x" };

/** A board with a picture, whose calls wait. */
async function ready() {
  const world = await start({ workspaces: [document(1, PICTURE)] });
  world.server.hold();
  return world;
}

/** @param {Awaited<ReturnType<typeof start>>} world @param {string} path */
function only({ server }, path) {
  const [call, ...more] = server.waiting(path);
  assert.ok(call && more.length === 0, `${server.waiting(path).length} calls of ${path}`);
  return call;
}

test("a video is asked for with what the person sees, and an address that the server gave", async () => {
  const world = await ready();
  const { clock, board } = world;
  board.edit(id(1), { [PROMPT]: "just typed" });
  const seen = watch(board.generate(id(1)));
  await clock.settle();
  assert.equal(board.workspace(id(1))?.requesting, true);
  const call = only(world, GENERATE);
  assert.equal(call.body.workspace_id, id(1));
  assert.ok(call.body.image_url.startsWith("/api/uploads/abcdefghijklmnop.png"));
  assert.equal(call.body.params.motion_prompt, "just typed");
  call.succeed({ task_id: "t1", status: "generating" });
  await clock.settle();
  assert.equal(seen.state, "fulfilled");
  assert.equal(board.workspace(id(1))?.requesting, false);
  assert.equal(board.workspace(id(1))?.video.status, "generating");
  assert.equal(board.workspace(id(1))?.video.task_id, "t1");
});

test("repeats of one request bear the same Idempotency-Key; another request bears another", async () => {
  const world = await ready();
  const { clock, board } = world;
  const first = watch(board.generate(id(1)));
  await clock.settle();
  const one = only(world, GENERATE);
  one.fail();
  await clock.advance(1_000);
  const two = only(world, GENERATE);
  two.answer(504, { message: "Endpoint request timed out" });
  await clock.advance(2_000);
  const three = only(world, GENERATE);
  three.succeed({ task_id: "t1", status: "generating" });
  await clock.settle();
  assert.equal(first.state, "fulfilled");
  const key = one.headers["idempotency-key"];
  assert.ok(key);
  assert.deepEqual([two, three].map(({ headers }) => headers["idempotency-key"]), [key, key]);
  assert.deepEqual(two.body, one.body);
  void board.generate(id(1)).catch(() => {});
  await clock.settle();
  assert.notEqual(only(world, GENERATE).headers["idempotency-key"], key);
});

test("THIRD_PARTY_ERROR is not repeated: the vendor has refused, or was paid already", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  const seen = watch(board.generate(id(1)));
  await clock.settle();
  only(world, GENERATE).refuse(502, "THIRD_PARTY_ERROR");
  await clock.advance(60_000);
  assert.equal(seen.error.code, "THIRD_PARTY_ERROR");
  assert.equal(seen.error.status, 502);
  assert.equal(seen.error.message, "拒绝 THIRD_PARTY_ERROR");
  assert.equal(server.waiting(GENERATE).length, 0);
  assert.equal(board.workspace(id(1))?.requesting, false);
});

test("409 is told with its task, is not repeated, and the list says what is true", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  const seen = watch(board.generate(id(1)));
  await clock.settle();
  const { length } = server.lists;
  only(world, GENERATE).refuse(409, "VIDEO_IN_PROGRESS", { task_id: "t0" });
  await clock.advance(100);
  assert.equal(seen.error.code, "VIDEO_IN_PROGRESS");
  assert.deepEqual(seen.error.details, { task_id: "t0" });
  assert.equal(server.waiting(GENERATE).length, 0);
  assert.ok(server.lists.length > length);
});

test("a push that overtakes the answer isn't undone by it", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  void board.generate(id(1));
  await clock.settle();
  server.push("video.status_update", { workspace_id: id(1), status: "generating", updated_at: iso(clock.now + 1) });
  server.push("video.status_update", { workspace_id: id(1), status: "failed", error: "refused", updated_at: iso(clock.now + 2) });
  only(world, GENERATE).succeed({ task_id: "t1", status: "generating" });
  await clock.settle();
  assert.equal(board.workspace(id(1))?.video.status, "failed");
});

test("without a picture no video is asked for", async () => {
  const world = await start();
  world.server.hold();
  const seen = watch(world.board.generate(id(1)));
  await world.clock.settle();
  assert.equal(seen.error.code, "INVALID_PARAMS");
  assert.equal(world.server.waiting(GENERATE).length, 0);
});

test("asking for a workspace that there is not is an error", async () => {
  const world = await ready();
  const { board } = world;
  const seen = [watch(board.generate("nothing")), watch(board.suggest("nothing", "x")), watch(board.cancel("nothing"))];
  await world.clock.settle();
  assert.deepEqual(seen.map(({ error }) => error?.code), ["WORKSPACE_NOT_FOUND", "WORKSPACE_NOT_FOUND", "WORKSPACE_NOT_FOUND"]);
});

test("for a workspace that isn't made yet the request waits until it is", async () => {
  const world = await start();
  const { clock, server, board } = world;
  const key = board.create();
  const create = server.one();
  server.hold();
  const seen = watch(board.suggest(key, "help"));
  await clock.advance(1_000);
  assert.equal(server.waiting(SUGGEST).length, 0);
  server.created(create, id(9));
  await clock.settle();
  const call = only(world, SUGGEST);
  assert.equal(call.body.workspace_id, id(9));
  call.succeed({ suggestions: { reasoning: "r" } });
  await clock.settle();
  assert.equal(seen.state, "fulfilled");
});

test("a creation that is refused rejects what waits for it", async () => {
  const world = await start();
  const { clock, server, board } = world;
  const key = board.create();
  const seen = watch(board.suggest(key, "help"));
  server.refuse(server.one(), "INVALID_DATA", { field: "order_index" });
  await clock.settle();
  assert.equal(seen.error?.code, "INVALID_DATA");
});

test("a video is cancelled by a frame, whose answer ends the wait", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  const seen = watch(board.cancel(id(1)));
  await clock.settle();
  const frame = server.one();
  assert.equal(frame.type, "video.cancel");
  assert.deepEqual(frame.data, { workspace_id: id(1) });
  assert.equal(seen.state, "pending");
  server.answer(frame, "video.cancelled", { workspace_id: id(1) });
  await clock.settle();
  assert.equal(seen.state, "fulfilled");
  assert.equal(board.state.saving, "saved");
});

test("a cancel that comes too late is no failed edit, and the list is loaded", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  const seen = watch(board.cancel(id(1)));
  await clock.settle();
  const { length } = server.lists;
  server.refuse(server.one(), "CONFLICT", { workspace_id: id(1), updated_at: iso(clock.now) });
  await clock.advance(100);
  assert.notEqual(seen.state, "pending");
  assert.equal(board.state.saving, "saved");
  assert.ok(server.lists.length > length);
});

test("a cancel that nobody answers rejects at last", async () => {
  const world = await ready();
  const seen = watch(world.board.cancel(id(1)));
  for (let n = 0; n < 30; n += 1) {
    await world.clock.advance(1_000);
    world.server.push("pong", {});
  }
  assert.equal(seen.error?.code, "TIMEOUT");
});

test("a suggestion is asked for with what the person sees, once, and comes back", async () => {
  const world = await ready();
  const { clock, board } = world;
  board.edit(id(1), { [PROMPT]: "now" });
  const seen = watch(board.suggest(id(1), "帮我优化"));
  await clock.settle();
  const call = only(world, SUGGEST);
  assert.equal(call.body.user_input, "帮我优化");
  assert.equal(call.body.context.current_params.motion_prompt, "now");
  call.succeed({ suggestions: { lighting: "暖", reasoning: "r" } });
  await clock.settle();
  assert.deepEqual(seen.value, { lighting: "暖", reasoning: "r" });
});

test("a suggestion whose push is lost is in the list that is loaded then", async () => {
  const world = await ready();
  const { clock, server, board } = world;
  void board.suggest(id(1), "x");
  await clock.settle();
  const entry = { user_input: "x", suggestions: { reasoning: "r" }, created_at: iso(clock.now) };
  server.workspaces = [document(1, { ...PICTURE, ai_collaboration: [entry], updated_at: iso(clock.now) })];
  server.auto = (call) => server.list(call);
  only(world, SUGGEST).succeed({ suggestions: entry.suggestions });
  await clock.advance(10_000);
  assert.deepEqual(board.workspace(id(1))?.ai_collaboration, [entry]);
});

test("a suggestion is not repeated by itself, whatever happens", async () => {
  for (const status of [500, 502, 503, 504, 0]) {
    const world = await ready();
    const seen = watch(world.board.suggest(id(1), "x"));
    await world.clock.settle();
    const call = only(world, SUGGEST);
    if (status) call.answer(status, { message: "x" });
    else call.fail();
    await world.clock.advance(60_000);
    assert.equal(seen.state, "rejected");
    assert.equal(world.server.waiting(SUGGEST).length, 0);
  }
});

test("errors bear code, status, details and `retryAfter`, of the header or of the details", async () => {
  for (const [status, body, headers, wanted] of /** @type {Array<[number, unknown, { [name: string]: string }, object]>} */ ([
    [429, { success: false, error: { code: "RATE_LIMITED", message: "慢", details: { retry_after_seconds: 9 } } }, {}, { code: "RATE_LIMITED", status: 429, retryAfter: 9 }],
    [503, { success: false, error: { code: "SERVICE_UNAVAILABLE", message: "忙" } }, { "retry-after": "4" }, { code: "SERVICE_UNAVAILABLE", status: 503, retryAfter: 4, message: "忙" }],
    [400, { success: false, error: { code: "INVALID_PARAMS", message: "x", details: { field: "user_input" } } }, {}, { code: "INVALID_PARAMS", details: { field: "user_input" }, retryAfter: 0 }],
    [404, { message: "Not Found" }, {}, { code: "NOT_FOUND", status: 404 }],
    [429, { message: "Too Many Requests" }, {}, { code: "RATE_LIMITED", status: 429 }],
    [503, { message: "Service Unavailable" }, {}, { code: "SERVICE_UNAVAILABLE", status: 503 }],
    [500, { message: "Internal Server Error" }, {}, { code: "GATEWAY_ERROR", status: 500 }],
    [504, "", {}, { code: "GATEWAY_ERROR", status: 504 }],
    [403, "<html>", {}, { code: "GATEWAY_ERROR", status: 403 }],
    [500, { success: false, error: "a text" }, {}, { code: "GATEWAY_ERROR", status: 500 }],
    [200, { success: false, error: { code: "DB_ERROR", message: "x" } }, {}, { code: "DB_ERROR" }],
    [200, "null", {}, { code: "GATEWAY_ERROR" }],
  ])) {
    const world = await ready();
    const seen = watch(world.board.suggest(id(1), "x"));
    await world.clock.settle();
    only(world, SUGGEST).answer(status, body, headers);
    await world.clock.settle();
    const error = seen.error;
    assert.ok(error instanceof Error && typeof error.message === "string" && error.message, `${status}`);
    for (const [name, value] of Object.entries(wanted)) assert.deepEqual(error[/** @type {keyof Error} */ (name)], value, `${status} ${name}`);
    assert.equal(typeof /** @type {any} */ (error).details, "object");
  }
});

test("no answer at all is NETWORK; one that takes too long is TIMEOUT", async () => {
  for (const [cause, code] of /** @type {const} */ ([[new TypeError("failed"), "NETWORK"], [new DOMException("late", "TimeoutError"), "TIMEOUT"]])) {
    const world = await ready();
    const seen = watch(world.board.suggest(id(1), "x"));
    await world.clock.settle();
    only(world, SUGGEST).fail(cause);
    await world.clock.settle();
    assert.equal(seen.error.code, code);
    assert.equal(seen.error.status, 0);
  }
});

test("an unauthorized request that a fresh token doesn't help makes the board `unauthorized`", async () => {
  const world = await ready();
  const seen = watch(world.board.suggest(id(1), "x"));
  await world.clock.settle();
  only(world, SUGGEST).refuse(401, "UNAUTHORIZED");
  await world.clock.settle();
  only(world, SUGGEST).refuse(401, "UNAUTHORIZED");
  await world.clock.settle();
  assert.equal(seen.error.code, "UNAUTHORIZED");
  assert.equal(world.board.state.connection, "unauthorized");
});

test("a page's addresses: relative ones are the page's, `api` and `socket` are kept with their paths", async () => {
  const plain = await start();
  assert.equal(plain.server.wire.url, "wss://page.example/");
  assert.equal(plain.server.lists[0]?.url.origin, "https://page.example");
  const cloud = await start({ options: { api: "https://api.example/stage/", socket: "wss://socket.example/prod" } });
  assert.equal(cloud.server.wire.url, "wss://socket.example/prod");
  assert.equal(cloud.server.calls[0]?.url.pathname, "/stage/api/workspaces");
  assert.equal(shown(cloud.board, PROMPT), undefined);
});
