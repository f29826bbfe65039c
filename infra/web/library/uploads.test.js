import assert from "node:assert/strict";
import test from "node:test";
import { document, id, shown, start, watch } from "./harness.js";

/** @typedef {Awaited<ReturnType<typeof start>>} World */

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13];
const JPEG = [0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0, 1];
const WEBP = [0x52, 0x49, 0x46, 0x46, 1, 2, 3, 4, 0x57, 0x45, 0x42, 0x50];
const MIB = 1024 * 1024;

const IMAGE = { image_path: "uploads/abcdefghijklmnop.png", image_url: "/api/uploads/abcdefghijklmnop.png" };
const DIRECT = {
  ...IMAGE,
  upload: { method: "PUT", url: "https://bucket.example/uploads/abcdefghijklmnop.png?signature", headers: { "content-type": "image/png", "if-none-match": "*" }, expires_at: "2026-01-01T00:10:00.000Z" },
};

/** A file that begins so. @param {number[]} head @param {number} [size] @param {string} [type] */
function file(head, size = head.length, type = "") {
  const bytes = new Uint8Array(size);
  bytes.set(head.slice(0, size));
  return new Blob([bytes], { type });
}

/** Waits for the next call of a path that nobody answered. @param {World} world @param {string} [path] */
async function next({ clock, server }, path = "/api/upload/image") {
  await clock.real(() => server.waiting(path).length > 0);
  const [call] = server.waiting(path);
  assert.ok(call, `nobody called ${path}`);
  return call;
}

/** @param {World} world @param {Blob} blob @param {Parameters<World["board"]["upload"]>[2]} [options] */
function send({ server, board }, blob, options) {
  server.hold();
  return watch(board.upload(id(1), blob, options));
}

for (const [name, head, type] of /** @type {const} */ ([["JPEG", JPEG, "image/jpeg"], ["PNG", PNG, "image/png"], ["WebP", WEBP, "image/webp"]])) {
  test(`a ${name} is known by its content, whatever it calls itself, and sent as that`, async () => {
    const world = await start();
    const seen = send(world, file([...head], 5_000, "text/html"));
    const call = await next(world);
    assert.equal(call.method, "POST");
    const part = /** @type {FormData} */ (call.body).get("image");
    assert.ok(part instanceof Blob);
    assert.equal(part.type, type);
    assert.equal(part.size, 5_000);
    assert.equal(call.headers["content-type"], undefined);
    call.succeed(IMAGE);
    await world.clock.settle();
    assert.deepEqual(seen.value, IMAGE);
  });
}

test("what is no picture by its content is refused before anything is sent", async () => {
  for (const head of [[0x47, 0x49, 0x46, 0x38, 0x39, 0x61], [0x3c, 0x68, 0x74, 0x6d, 0x6c], [0xff, 0xd8], [...WEBP.slice(0, 8), 0, 0, 0, 0], [...PNG.slice(0, 7), 0]]) {
    const world = await start();
    const seen = send(world, file(head, Math.max(head.length, 12), "image/png"));
    await world.clock.real(() => seen.state !== "pending");
    assert.equal(seen.error.code, "UNSUPPORTED_FILE_TYPE", `${head}`);
    assert.equal(seen.error.status, 415);
    assert.equal(world.server.waiting("/api/upload/image").length, 0);
  }
});

test("an empty file is FILE_TOO_LARGE, as the types say, or no picture; it is refused before anything is sent", async () => {
  const world = await start();
  const seen = send(world, new Blob([]));
  await world.clock.real(() => seen.state !== "pending");
  assert.ok(["FILE_TOO_LARGE", "UNSUPPORTED_FILE_TYPE"].includes(seen.error.code));
  assert.equal(world.server.waiting("/api/upload/image").length, 0);
});

test("exactly 10 MiB is sent; one byte more is refused before anything is sent", async () => {
  const world = await start();
  const seen = send(world, file(PNG, 10 * MIB));
  const call = await next(world);
  assert.deepEqual(call.body, { content_type: "image/png", size: 10 * MIB });
  const other = send(world, file(PNG, 10 * MIB + 1));
  await world.clock.real(() => other.state !== "pending");
  assert.equal(other.error.code, "FILE_TOO_LARGE");
  assert.equal(seen.state === "pending" || seen.error.code === "ABORTED", true);
});

test("up to 4 MB go as a form; what is larger goes straight to the store, with the headers that were signed", async () => {
  const world = await start();
  const small = send(world, file(PNG, 4_000_000));
  const form = await next(world);
  assert.ok(form.body instanceof FormData);
  form.succeed(IMAGE);
  await world.clock.settle();
  assert.equal(small.state, "fulfilled");

  const large = send(world, file(PNG, 4_500_000));
  const ask = await next(world);
  assert.deepEqual(ask.body, { content_type: "image/png", size: 4_500_000 });
  ask.succeed(DIRECT);
  const put = await next(world, "/uploads/abcdefghijklmnop.png");
  assert.equal(put.method, "PUT");
  assert.equal(put.url.href, DIRECT.upload.url);
  assert.deepEqual(put.headers, DIRECT.upload.headers);
  assert.equal(/** @type {Blob} */ (put.body).size, 4_500_000);
  put.answer(200, "");
  await world.clock.settle();
  assert.deepEqual(large.value, IMAGE);
});

test("a token is not sent to the store", async () => {
  const world = await start({ options: { getToken: () => "secret" } });
  const large = send(world, file(PNG, 4_500_000));
  (await next(world)).succeed(DIRECT);
  const put = await next(world, "/uploads/abcdefghijklmnop.png");
  assert.ok(!JSON.stringify(put.headers).includes("secret"));
  put.answer(200, "");
  await world.clock.settle();
  assert.equal(large.state, "fulfilled");
});

test("412 from the store is success: an earlier try had arrived", async () => {
  const world = await start();
  const seen = send(world, file(PNG, 4_500_000));
  (await next(world)).succeed(DIRECT);
  (await next(world, "/uploads/abcdefghijklmnop.png")).fail();
  await world.clock.advance(1_000);
  (await next(world, "/uploads/abcdefghijklmnop.png")).answer(412, "<Error>PreconditionFailed</Error>");
  await world.clock.settle();
  assert.equal(seen.state, "fulfilled");
});

test("a finished upload is on the board, sent at once, as a path and an address of this API", async () => {
  const world = await start();
  const { server, board } = world;
  send(world, file(PNG));
  (await next(world)).succeed({ ...IMAGE, image_url: `${IMAGE.image_url}?expires=1&signature=x` });
  await world.clock.settle();
  assert.equal(shown(board, "image_path"), IMAGE.image_path);
  assert.match(String(shown(board, "image_url")), /^https:\/\/page\.example\/api\/uploads\/abcdefghijklmnop\.png/);
  const { data } = server.one();
  assert.equal(data.updates.image_path, IMAGE.image_path);
  assert.ok(data.updates.image_url.startsWith(IMAGE.image_url));
});

test("progress is told, and no more of it after an abort", async () => {
  const world = await start();
  /** @type {number[]} */
  const fractions = [];
  const controller = new AbortController();
  const seen = send(world, file(PNG), { onProgress: (fraction) => fractions.push(fraction), signal: controller.signal });
  const call = await next(world);
  call.request?.onProgress(0.25);
  call.request?.onProgress(0.5);
  controller.abort();
  call.request?.onProgress(0.75);
  await world.clock.settle();
  assert.deepEqual(fractions, [0.25, 0.5]);
  assert.equal(seen.error.code, "ABORTED");
  assert.equal(call.request?.signal.aborted, true);
  assert.equal(shown(world.board, "image_path"), null);
});

test("a signal that is aborted before, or between the two steps, sends nothing more", async () => {
  const world = await start();
  const early = send(world, file(PNG), { signal: AbortSignal.abort() });
  await world.clock.real(() => early.state !== "pending");
  assert.equal(early.error.code, "ABORTED");
  assert.equal(world.server.waiting("/api/upload/image").length, 0);
  const controller = new AbortController();
  const between = send(world, file(PNG, 4_500_000), { signal: controller.signal });
  const ask = await next(world);
  controller.abort();
  ask.succeed(DIRECT);
  await world.clock.real(() => between.state !== "pending");
  assert.equal(between.error.code, "ABORTED");
  assert.equal(world.server.waiting("/uploads/abcdefghijklmnop.png").length, 0);
});

test("an upload that is aborted while it waits to be repeated is `ABORTED`, and not repeated", async () => {
  const world = await start();
  const controller = new AbortController();
  const seen = send(world, file(PNG), { signal: controller.signal });
  (await next(world)).fail();
  await world.clock.advance(100);
  controller.abort();
  await world.clock.advance(60_000);
  assert.equal(seen.error?.code, "ABORTED");
  assert.equal(world.server.waiting("/api/upload/image").length, 0);
});

test("a second upload into the same workspace aborts the first, and only its picture is put in", async () => {
  const world = await start();
  const first = send(world, file(PNG));
  const one = await next(world);
  const second = send(world, file(JPEG));
  await world.clock.real(() => first.state !== "pending");
  assert.equal(first.error.code, "ABORTED");
  assert.equal(one.request?.signal.aborted, true);
  (await next(world)).succeed(IMAGE);
  await world.clock.settle();
  assert.equal(second.state, "fulfilled");
  assert.equal(shown(world.board, "image_path"), IMAGE.image_path);
});

test("a second upload by the id aborts the first one by the key, for it is the same workspace", async () => {
  const world = await start();
  const { server, board, clock } = world;
  const key = board.create();
  server.created(server.one(), id(9));
  server.hold();
  const first = watch(board.upload(key, file(PNG)));
  await next(world);
  const second = watch(board.upload(id(9), file(JPEG)));
  await clock.real(() => first.state !== "pending");
  assert.equal(first.error?.code, "ABORTED");
  assert.equal(second.state, "pending");
});

test("uploads into two workspaces don't disturb each other", async () => {
  const world = await start({ workspaces: [document(1), document(2)] });
  world.server.hold();
  const one = watch(world.board.upload(id(1), file(PNG)));
  const two = watch(world.board.upload(id(2), file(PNG)));
  await world.clock.real(() => world.server.waiting("/api/upload/image").length === 2);
  for (const call of world.server.waiting("/api/upload/image")) call.succeed(IMAGE);
  await world.clock.settle();
  assert.deepEqual([one.state, two.state], ["fulfilled", "fulfilled"]);
});

test("a network that fails, a 503 and a gateway's 502 are overcome by repeats", async () => {
  const world = await start();
  const seen = send(world, file(PNG));
  (await next(world)).fail();
  await world.clock.advance(1_000);
  (await next(world)).refuse(503, "SERVICE_UNAVAILABLE", undefined, { "retry-after": "3" });
  await world.clock.advance(2_900);
  assert.equal(world.server.waiting("/api/upload/image").length, 0);
  await world.clock.advance(200);
  (await next(world)).answer(502, "<html>bad gateway</html>");
  await world.clock.advance(4_000);
  (await next(world)).succeed(IMAGE);
  await world.clock.settle();
  assert.equal(seen.state, "fulfilled");
});

test("a network that fails for ever fails the upload at last, with NETWORK", async () => {
  const world = await start();
  const seen = send(world, file(PNG));
  for (let n = 0; n < 4; n += 1) {
    (await next(world)).fail();
    await world.clock.advance(5_000);
  }
  assert.equal(seen.error.code, "NETWORK");
  assert.equal(shown(world.board, "image_path"), null);
});

test("what the server refuses is not repeated: 413, 415, 400, and the gateway's own 413 without an envelope", async () => {
  for (const [status, body, code] of /** @type {const} */ ([
    [413, { success: false, error: { code: "FILE_TOO_LARGE", message: "太大" } }, "FILE_TOO_LARGE"],
    [415, { success: false, error: { code: "UNSUPPORTED_FILE_TYPE", message: "x" } }, "UNSUPPORTED_FILE_TYPE"],
    [400, { success: false, error: { code: "INVALID_PARAMS", message: "x", details: { field: "image" } } }, "INVALID_PARAMS"],
    [413, { message: "Request Entity Too Large" }, "FILE_TOO_LARGE"],
  ])) {
    const world = await start();
    const seen = send(world, file(PNG));
    (await next(world)).answer(status, body);
    await world.clock.advance(30_000);
    assert.equal(seen.error.code, code);
    assert.equal(seen.error.status, status);
    assert.equal(world.server.waiting("/api/upload/image").length, 0);
  }
});

test("a picture can be sent into a workspace that the server has not made yet", async () => {
  const world = await start();
  const { server, board, clock } = world;
  const key = board.create();
  const create = server.one();
  server.hold();
  const seen = watch(board.upload(key, file(PNG)));
  (await next(world)).succeed(IMAGE);
  await clock.settle();
  assert.equal(seen.state, "fulfilled");
  assert.equal(board.workspace(key)?.image_path, IMAGE.image_path);
  server.created(create, id(9));
  await clock.settle();
  assert.equal(server.one().data.updates.image_path, IMAGE.image_path);
});

test("`close()` aborts what is being uploaded", async () => {
  const world = await start();
  const seen = send(world, file(PNG));
  await next(world);
  world.board.close();
  await world.clock.settle();
  assert.equal(seen.error?.code, "ABORTED");
});
