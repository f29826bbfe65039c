// A server that does what a test tells it: it accepts, answers pings and lists, and leaves everything else to the test.

/**
 * @typedef {import("./wire.js").Wire} Wire
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("../../../web/motionboard/types.js").Document} Document
 * @typedef {import("../../../web/motionboard/types.js").Frame} Frame
 * @typedef {import("../../../web/motionboard/types.js").UploadRequest} UploadRequest
 * @typedef {{ type: string, data: any, timestamp: number, request_id: string, client_id: string, wire: Wire, text: string, at: number }} Received
 */

/** A request that waits for its answer. */
export class Call {
  isAnswered = false;

  /**
   * @param {string} method @param {URL} url @param {{ [name: string]: string }} headers @param {any} body JSON, or what was uploaded
   * @param {(answer: { status: number, text: string, headers: { [name: string]: string } }) => void} resolve
   * @param {(error: unknown) => void} reject
   * @param {UploadRequest | null} request of an upload
   */
  constructor(method, url, headers, body, resolve, reject, request = null) {
    this.method = method;
    this.url = url;
    this.path = url.pathname;
    this.headers = headers;
    this.body = body;
    this.request = request;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** @param {object} data */
  succeed(data) {
    this.answer(200, { success: true, data });
  }

  /** @param {number} status @param {string} code @param {object} [details] @param {{ [name: string]: string }} [headers] */
  refuse(status, code, details, headers) {
    this.answer(status, { success: false, error: { code, message: `拒绝 ${code}`, ...(details && { details }) } }, headers);
  }

  /** @param {number} status @param {unknown} body @param {{ [name: string]: string }} [headers] */
  answer(status, body, headers = {}) {
    this.isAnswered = true;
    this.resolve({ status, text: typeof body === "string" ? body : JSON.stringify(body), headers });
  }

  /** There is no answer. @param {unknown} [error] */
  fail(error = new TypeError("fetch failed")) {
    this.isAnswered = true;
    this.reject(error);
  }
}

export class Script {
  /** @type {Wire[]} all that were asked for, also those that were refused */
  wires = [];
  /** @type {Received[]} all but pings */
  frames = [];
  /** @type {Array<{ wire: Wire, at: number, frame: any }>} */
  pings = [];
  /** @type {Call[]} all */
  calls = [];
  /** @type {Document[]} what a list holds */
  workspaces = [];
  /** @type {"accept" | "refuse" | "silent"} what happens to handshakes */
  handshakes = "accept";
  answersPings = true;
  /** Answers a call, if it likes to. @type {(call: Call) => void} */
  auto = (call) => this.list(call);
  /** What happens to a frame, after the call that sends it. @type {(frame: Received) => void} */
  onFrame = () => {};
  #taken = 0;

  /** @param {Clock} clock */
  constructor(clock) {
    this.clock = clock;
  }

  // ------------------------------------------------------------------------------------------------ what a test looks at

  /** The frames that came since it was asked last. */
  take() {
    const news = this.frames.slice(this.#taken);
    this.#taken = this.frames.length;
    return news;
  }

  /** What they held. */
  sent() {
    return this.take().map(({ data }) => data);
  }

  /** The only frame that came since. @returns {Received} */
  one() {
    const news = this.take();
    const [frame] = news;
    if (!frame || news.length > 1) throw new Error(`${news.length} frames instead of one: ${JSON.stringify(news.map(({ text }) => text))}`);
    return frame;
  }

  /** The connection that is open. @returns {Wire} */
  get wire() {
    const open = this.wires.findLast(({ state }) => state === "open");
    if (!open) throw new Error("no connection");
    return open;
  }

  /** The calls that nobody answered, of a path. @param {string} [path] */
  waiting(path) {
    return this.calls.filter((call) => !call.isAnswered && (!path || call.path === path));
  }

  get lists() {
    return this.calls.filter(({ method, path }) => method === "GET" && path === "/api/workspaces");
  }

  // ------------------------------------------------------------------------------------------------ what a test does

  /** Answers a list, if it is one. @param {Call} call @param {Document[]} [workspaces] */
  list(call, workspaces = this.workspaces) {
    if (call.method === "GET" && call.path === "/api/workspaces") call.succeed({ workspaces, next_cursor: null });
  }

  /** Keeps calls waiting from now on. */
  hold() {
    this.auto = () => {};
  }

  /** Answers a frame. @param {Received} frame @param {string} type @param {object} data */
  answer(frame, type, data) {
    frame.wire.say({ type, data, timestamp: this.clock.now, request_id: frame.request_id });
  }

  /** @param {Received} frame @param {number} [at] `updated_at` */
  confirm(frame, at = this.clock.now) {
    this.answer(frame, "workspace.sync_confirm", { workspace_id: frame.data.workspace_id, updated_at: new Date(at).toISOString() });
  }

  /** @param {Received} frame @param {string} id @param {number} [order_index] */
  created(frame, id, order_index = frame.data.order_index ?? 0) {
    this.answer(frame, "workspace.created", { workspace_id: id, order_index, created_at: new Date(this.clock.now).toISOString() });
  }

  /** @param {Received} frame @param {string} code @param {object} [context] */
  refuse(frame, code, context = {}) {
    this.answer(frame, "error", { code, message: `错误 ${code}`, context });
  }

  /** Tells what others did. @param {string} type @param {object} data @param {Wire} [wire] */
  push(type, data, wire = this.wire) {
    wire.say({ type, data, timestamp: this.clock.now });
  }

  /** @param {string} workspace_id @param {{ [path: string]: unknown }} updates @param {number} [at] */
  pushUpdate(workspace_id, updates, at = this.clock.now) {
    this.push("workspace.updated", { workspace_id, updates, updated_at: new Date(at).toISOString() });
  }

  // ------------------------------------------------------------------------------------------------ the platform's side

  /** @param {Wire} wire */
  connect(wire) {
    this.wires.push(wire);
    if (this.handshakes === "accept") this.clock.setTimeout(() => wire.accept(), 0);
    if (this.handshakes === "refuse") this.clock.setTimeout(() => wire.cut(), 0);
  }

  /** @param {Wire} wire @param {string} text */
  receive(wire, text) {
    const frame = JSON.parse(text);
    if (frame.type === "ping") {
      this.pings.push({ wire, frame, at: this.clock.now });
      if (this.answersPings) wire.say({ type: "pong", data: {}, timestamp: this.clock.now });
      return;
    }
    const received = { ...frame, wire, text, at: this.clock.now };
    this.frames.push(received);
    queueMicrotask(() => this.onFrame(received));
  }

  gone() {}

  /** @param {string} url @param {RequestInit} init @returns {Promise<Response>} */
  fetch(url, init) {
    return new Promise((resolve, reject) => {
      const headers = /** @type {{ [name: string]: string }} */ (init.headers ?? {});
      const body = init.body ? JSON.parse(String(init.body)) : null;
      const answer = (/** @type {{ status: number, text: string, headers: { [name: string]: string } }} */ { status, text, headers }) =>
        resolve(new Response(text, { status, headers }));
      this.#add(new Call(init.method ?? "GET", new URL(url), headers, body, answer, reject));
    });
  }

  /** @param {UploadRequest} request @returns {Promise<{ status: number, retryAfter: string | null, text: string }>} */
  upload(request) {
    return new Promise((resolve, reject) => {
      const answer = (/** @type {{ status: number, text: string, headers: { [name: string]: string } }} */ { status, text, headers }) =>
        resolve({ status, text, retryAfter: headers["retry-after"] ?? null });
      const call = new Call(request.method, new URL(request.url), request.headers, request.body, answer, reject, request);
      request.signal.addEventListener("abort", () => call.fail(new Error("aborted")));
      this.#add(call);
    });
  }

  /** @param {Call} call */
  #add(call) {
    this.calls.push(call);
    this.auto(call);
  }
}
