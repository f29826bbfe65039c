/** @import { ConnectionEvents, Drafts, Entry, Identity, Keeper, Message, Outbox, Platform } from "./types.js" */
/** @import { Events, Options, Updates } from "../motionboard.js" */
import { claims, makeConnection } from "./connection.js";
import { FRAME_BYTES, bytesOf, makeDrafts } from "./drafts.js";
import { MotionboardError } from "./errors.js";
import { makeIdentity, makeKeeper } from "./kept.js";
import { isTemporary, makeOutbox, temporaryId } from "./outbox.js";
import { leaves } from "./paths.js";
import { makeReplica } from "./replica.js";
import { makeLoader, makeRest } from "./rest.js";
import { makeScreen } from "./screen.js";
import { places } from "./views.js";

/** How often the list is looked at while a video is made, should its push be lost. */
const WATCH = 120_000;
/** How long a push may be later than the answer that it belongs to. */
const PUSH_DELAY = 2_000;
/** Reorders of several devices within this time may have overtaken each other: they bear no `updated_at`. */
const REORDER_WINDOW = 3_000;
const REORDER_DELAY = 1_000;
/** A frame of 32 KiB takes some 900 places. */
const PLACES = 600;
/** Who has heard nothing for so long when a frame is given up has no connection. */
const DEAD = 15_000;

/** The board; `motionboard.d.ts` describes it, `types.d.ts` its parts. */
export class Board {
  #options;
  #platform;
  #rest;
  #connection;
  #replica = makeReplica();
  #screen;
  #loader;
  /** @type {{ identity: Identity, keeper: Keeper, outbox: Outbox, drafts: Drafts } | undefined} */
  #opened;
  /** @type {Array<() => void>} */
  #ends = [];
  /** @type {Set<(event: keyof Events, detail: any) => void>} */
  #listeners = new Set();
  /** @type {Map<string, AbortController>} */
  #uploads = new Map();
  /** Whose board it is; undefined for as long as that isn't known. @type {string | undefined} */
  #account;
  /** Counts openings and closings: who waited meanwhile sees it. */
  #life = 0;
  /** @type {Promise<void> | undefined} */
  #closing;
  #isOrderUnsure = false;
  #lastReorder = -Infinity;

  /** @param {Options} options @param {Platform} platform */
  constructor(options, platform) {
    const socket = new URL(options.socket || "/", platform.base);
    socket.protocol = socket.protocol.replace("http", "ws");
    const token = (/** @type {boolean} */ renew) => this.#token(renew);
    /** @type {ConnectionEvents} */
    const events = {
      open: () => this.#connected(),
      message: (message) => this.#hear(message),
      lost: () => this.#edits.outbox.disconnected(),
      // If it was the token, the list says so.
      refused: () => void (options.getToken && this.refresh()),
      change: () => this.#screen.changed(),
    };
    this.#options = options;
    this.#platform = platform;
    this.#rest = makeRest(platform, new URL(options.api || "/", platform.base).href.replace(/\/$/, ""), token);
    this.#connection = makeConnection(platform, socket.href, token, events);
    this.#screen = makeScreen(platform, this.#replica, this.#connection, this.#rest.resolve);
    this.#loader = makeLoader(platform, this.#rest, this.#replica, {
      loaded: (gone) => {
        const edited = this.#edits.drafts.all().map(({ workspace }) => workspace).filter((id) => !isTemporary(id) && !this.#replica.document(id));
        for (const id of [...gone, ...edited]) this.#gone(id);
        this.#screen.loaded(null);
        this.#edits.drafts.sealAll();
      },
      failed: (error) => {
        this.#screen.loaded(error);
        if (error.code === "UNAUTHORIZED") this.#connection.unauthorized(false);
        return ["open", "connecting", "reconnecting"].includes(this.#connection.state);
      },
    });
  }

  get #edits() {
    if (!this.#opened) throw new Error("Motionboard: call open() first");
    return this.#opened;
  }

  // ------------------------------------------------------------------------------------------------ its life

  async open() {
    const { conflicts, account, getToken } = this.#options;
    const platform = this.#platform;
    const life = ++this.#life;
    this.#account = undefined;
    await this.#closing;
    const token = await this.#token(false).catch(() => null);
    const owner = account ?? (token ? claims(token).sub ?? "" : getToken ? undefined : "");
    const scope = [this.#rest.resolve("/"), owner ?? ""].map(encodeURIComponent).join(" ");
    const identity = makeIdentity(platform, scope);
    await identity.claim();
    if (life !== this.#life) return identity.release();
    this.#account = owner;
    const fail = (/** @type {string} */ message) => this.#emit("error", new MotionboardError("GATEWAY_ERROR", message));
    const keeper = makeKeeper(platform.store, scope, () => fail("edits can't be kept in this browser"));
    const outbox = makeOutbox(platform, identity, keeper, this.#connection.send, {
      failed: (entry) => this.#gaveUp(entry), change: this.#screen.changed,
    });
    const drafts = makeDrafts(platform, {
      identity, keeper, outbox, replica: this.#replica, asks: conflicts === "ask",
      isOpen: () => this.#connection.isOpen, onChange: this.#screen.changed,
    });
    this.#opened = { identity, keeper, outbox, drafts };
    this.#screen.show(outbox, drafts);
    await drafts.restore().catch(() => fail("edits of before can't be read"));
    if (life !== this.#life) return;
    this.#ends = [
      platform.on("hidden", () => {
        identity.leave(true);
        drafts.flush();
      }),
      platform.on("leave", outbox.hurry),
      platform.on("shown", () => {
        identity.leave(false);
        this.#connection.check(false);
        if (this.#connection.isOpen) void this.refresh();
        else this.#connection.start();
      }),
      platform.on("online", this.#connection.start),
      platform.on("offline", this.#connection.suspect),
      platform.every(WATCH, () => {
        if (this.state.workspaces.some(({ video }) => video.status === "generating")) void this.refresh();
      }),
    ];
    this.#connection.start();
    await this.refresh();
  }

  close() {
    this.#life += 1;
    if (!this.#opened) return;
    const { identity, keeper, outbox, drafts } = this.#opened;
    drafts.flush();
    outbox.stop();
    drafts.stop();
    this.#connection.stop();
    this.#loader.stop();
    for (const upload of this.#uploads.values()) upload.abort();
    for (const end of this.#ends.splice(0)) end();
    this.#closing = keeper.settled().then(() => identity.release());
  }

  /** @param {string} [workspace] */
  retry(workspace) {
    if (!this.#opened) return;
    if (this.#account === undefined) {
      // Nobody was signed in: whose edits are kept is known only now.
      this.close();
      return void this.open();
    }
    const { outbox } = this.#opened;
    for (const entry of outbox.entries()) {
      const { data, request_id } = entry.frame;
      const isMeant = !workspace || this.#id(workspace) === (data.workspace_id ?? temporaryId(request_id));
      if (isMeant && (entry.state === "failed" || entry.state === "refused")) outbox.again(entry);
    }
    if (!this.#connection.isOpen) this.#connection.start();
    if (this.#screen.error) void this.refresh();
    this.#screen.changed();
  }

  refresh() {
    return this.#loader.load();
  }

  // ------------------------------------------------------------------------------------------------ what is shown

  get state() {
    return this.#screen.state;
  }

  subscribe = (/** @type {() => void} */ listener) => this.#screen.subscribe(listener);

  /** @template {keyof Events} E @param {E} event @param {(detail: Events[E]) => void} listener */
  on(event, listener) {
    const heard = (/** @type {keyof Events} */ name, /** @type {Events[E]} */ detail) => void (name === event && listener(detail));
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  /** @param {string} id */
  workspace(id) {
    return this.#screen.workspace(this.#id(id));
  }

  /** @param {string} workspace @param {string} path */
  hold(workspace, path) {
    return this.#screen.hold(this.#id(workspace), path);
  }

  // ------------------------------------------------------------------------------------------------ what the person does

  /** @param {{ order_index?: number }} [options] */
  create({ order_index } = {}) {
    const { frame } = this.#edits.outbox.add("workspace.create", order_index === undefined ? {} : { order_index });
    this.#screen.changed();
    return temporaryId(frame.request_id);
  }

  /** @param {string} workspace @param {Updates} updates @param {{ now?: boolean }} [options] */
  edit(workspace, updates, { now = false } = {}) {
    const id = this.#id(workspace);
    const edits = leaves(updates);
    for (const [path, value] of Object.entries(edits)) {
      if (bytesOf({ [path]: value }) > FRAME_BYTES) throw new MotionboardError("INVALID_DATA", "more than fits into one frame", { details: { path } });
    }
    this.#screen.typed(id, edits);
    this.#edits.drafts.type(id, edits);
    if (now) this.#edits.drafts.pause(id);
    this.#screen.changed();
  }

  /** @param {string} workspace @param {string} path @param {"mine" | "theirs"} keep */
  resolve(workspace, path, keep) {
    this.#edits.drafts.resolve(this.#id(workspace), path, keep);
    this.#screen.changed();
  }

  /** @param {string} workspace @param {{ delay?: number }} [options] */
  remove(workspace, { delay = 0 } = {}) {
    const { outbox } = this.#edits;
    const entry = outbox.add("workspace.delete", { workspace_id: this.#id(workspace) }, {}, delay);
    this.#screen.changed();
    return () => {
      const isInTime = entry.sends === 0 && outbox.find(entry.frame.request_id) === entry;
      if (isInTime) outbox.drop(entry);
      this.#screen.changed();
      return isInTime;
    };
  }

  /** @param {string} workspace @param {string | null} before */
  move(workspace, before) {
    const moved = this.workspace(workspace);
    const next = before === null ? undefined : this.workspace(before);
    if (!moved || moved === next) return;
    const changes = places(this.state.workspaces, moved, next);
    for (let start = 0; start < changes.length; start += PLACES) {
      this.#edits.outbox.add("workspace.reorder", { reorder_map: Object.fromEntries(changes.slice(start, start + PLACES)) });
    }
    this.#screen.changed();
  }

  /**
   * @param {string} workspace @param {Blob} file
   * @param {{ onProgress?: (fraction: number) => void, signal?: AbortSignal }} [options]
   */
  async upload(workspace, file, { onProgress = () => {}, signal } = {}) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const key = this.#screen.keyOf(workspace);
    this.#uploads.get(key)?.abort();
    this.#uploads.set(key, controller);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    try {
      const image = await this.#asked(this.#rest.upload(file, onProgress, controller.signal));
      if (controller.signal.aborted) throw new MotionboardError("ABORTED", "the upload was stopped");
      const { image_path, image_url } = image;
      this.edit(workspace, { image_path, image_url }, { now: true });
      return { image_path, image_url };
    } finally {
      signal?.removeEventListener("abort", abort);
      if (this.#uploads.get(key) === controller) this.#uploads.delete(key);
    }
  }

  /** @param {string} workspace */
  async generate(workspace) {
    const { id, image_path, params } = await this.#asking(workspace);
    if (!image_path) throw new MotionboardError("INVALID_PARAMS", "there is no picture", { details: { field: "image_url" } });
    const before = this.#replica.document(id)?.video;
    // Repeats carry the same key: whatever happens to the answers, the vendor is paid once.
    const headers = { "idempotency-key": this.#platform.id() };
    const json = { workspace_id: id, image_url: `/api/${image_path}`, params };
    const end = this.#screen.request(id);
    try {
      const { task_id } = await this.#asked(this.#rest.call("POST", "/api/generate/video", { json, headers, repeat: true }));
      if (before) this.#replica.begun(id, before, task_id);
    } catch (error) {
      // What is true now: another's video, or one that began although no answer came.
      void this.refresh();
      throw error;
    } finally {
      end();
    }
  }

  /** @param {string} workspace */
  async cancel(workspace) {
    const { id } = await this.#asking(workspace);
    const { outbox } = this.#edits;
    const entry = outbox.add("video.cancel", { workspace_id: id });
    this.#screen.changed();
    await outbox.settled(entry);
  }

  /** @param {string} workspace @param {string} input */
  async suggest(workspace, input) {
    const { id, params } = await this.#asking(workspace);
    const exchanges = () => this.#replica.document(id)?.ai_collaboration;
    const known = exchanges();
    const json = { workspace_id: id, user_input: input, context: { current_params: params } };
    const { suggestions } = await this.#asked(this.#rest.call("POST", "/api/ai/suggest", { json }));
    if (exchanges() === known) this.#loader.loadLater(PUSH_DELAY);
    return suggestions;
  }

  /** What a request is about: the workspace as the person sees it, once the server has it. @param {string} workspace */
  async #asking(workspace) {
    const { outbox, drafts } = this.#edits;
    const creation = outbox.entries().find(({ frame }) => temporaryId(frame.request_id) === workspace);
    if (creation) await outbox.settled(creation);
    const id = this.#id(workspace);
    const shown = this.#screen.workspace(id);
    if (!shown) throw new MotionboardError("WORKSPACE_NOT_FOUND", "there is no such workspace", { details: { workspace_id: id } });
    drafts.pause(id);
    const { camera_movement, shot_type, lighting, motion_prompt } = shown.form_data;
    return { id, image_path: shown.image_path, params: { camera_movement, shot_type, lighting, motion_prompt } };
  }

  /** @template T @param {Promise<T>} call @returns {Promise<T>} */
  #asked(call) {
    return call.catch((error) => {
      if (error.code === "UNAUTHORIZED") this.#connection.unauthorized(false);
      throw error;
    });
  }

  // ------------------------------------------------------------------------------------------------ what the server says

  #connected() {
    const { outbox, drafts } = this.#edits;
    outbox.transmitAll();
    drafts.sealAll();
    void this.refresh();
  }

  /** @param {Message} message */
  #hear(message) {
    const { type, data, request_id } = message;
    const { identity, outbox } = this.#edits;
    identity.heard(message.timestamp);
    const entry = request_id === undefined ? undefined : outbox.find(request_id);
    if (type === "error") this.#refused(entry, data);
    else if (entry) this.#stored(entry, data);
    else if (request_id === undefined) this.#told(message);
    this.#screen.changed();
  }

  /** @param {Entry} entry @param {Message["data"]} data */
  #stored(entry, data) {
    const { frame, sends, isOld } = entry;
    const { outbox, drafts } = this.#edits;
    this.#replica.stored(frame, data, (path, workspace) => outbox.isNewest(entry, path, workspace));
    const { workspace_id: id = "" } = frame.data;
    if (frame.type !== "workspace.create") outbox.drop(entry);
    if (frame.type === "workspace.create") {
      const [from, to] = [temporaryId(frame.request_id), data.workspace_id ?? ""];
      this.#screen.rename(from, to);
      drafts.rename(from, to);
      outbox.rename(from, to);
      outbox.drop(entry);
      // What an earlier try has made may be changed or deleted since.
      if (isOld || sends > 1) void this.refresh();
    } else if (frame.type === "workspace.delete") this.#forget(id);
    else if (frame.type === "workspace.reorder") this.#reordered(this.#isOrderUnsure);
    else drafts.seal(id);
  }

  /** @param {Entry | undefined} entry @param {Message["data"]} data */
  #refused(entry, { code = "GATEWAY_ERROR", message = "", context: details = {} }) {
    const { outbox, drafts } = this.#edits;
    const error = new MotionboardError(code, message, { details, retryAfter: Number(details["retry_after_seconds"]) || 0 });
    const isBorne = !entry || outbox.bears(entry, error);
    if (code === "UNAUTHORIZED") this.#connection.unauthorized(true);
    if (isBorne) return;
    const { workspace_id: workspace = "", updates = {} } = entry.frame.data;
    const outcome = outbox.refused(entry, error);
    if (outcome === "gone") this.#gone(workspace);
    else if (outcome === "forgotten") this.#forget(workspace);
    else if (outcome !== "kept") {
      if (outcome === "conflict") drafts.putBack({ workspace, updates, bases: entry.frame.bases ?? {} });
      void this.refresh();
    }
  }

  /** @param {Message} message of what others did, and of videos */
  #told(message) {
    // What is not known has overtaken its creation.
    if (!this.#replica.hear(message)) this.#loader.loadLater(PUSH_DELAY);
    if (message.type === "workspace.deleted") this.#gone(message.data.workspace_id ?? "");
    if (message.type === "workspace.reordered") {
      this.#reordered(false);
      this.#isOrderUnsure = this.#edits.outbox.entries().some(({ frame }) => frame.type === "workspace.reorder");
    }
  }

  /** Notes that an order was told, or stored. Whose was the last one only the list says, where there were several. @param {boolean} isUnsure */
  #reordered(isUnsure) {
    const now = this.#platform.now();
    if (isUnsure || now - this.#lastReorder < REORDER_WINDOW) this.#loader.loadLater(REORDER_DELAY);
    this.#lastReorder = now;
    this.#isOrderUnsure = false;
  }

  /** @param {Entry} entry */
  #gaveUp(entry) {
    if (entry.state === "failed" && !this.#connection.hasHeardSince(this.#platform.now() - DEAD)) this.#connection.suspect();
    this.#edits.drafts.seal(entry.frame.data.workspace_id ?? "");
    this.#screen.changed();
  }

  /** A workspace was deleted elsewhere. @param {string} id */
  #gone(id) {
    const unsaved = this.#screen.unsaved(id);
    this.#forget(id);
    if (unsaved) this.#emit("lost", unsaved);
  }

  /** @param {string} id */
  #forget(id) {
    const { outbox, drafts } = this.#edits;
    this.#replica.remove(id);
    drafts.discard(id);
    const gone = new MotionboardError("WORKSPACE_NOT_FOUND", "the workspace was deleted", { details: { workspace_id: id } });
    for (const entry of outbox.entries()) if (entry.frame.data.workspace_id === id) outbox.drop(entry, gone);
    this.#screen.forget(id);
  }

  /** A token of the account whose board this is. @param {boolean} renew */
  async #token(renew) {
    const { getToken, account } = this.#options;
    const token = await (async () => getToken?.({ renew }) ?? null)().catch((error) => {
      throw error instanceof MotionboardError ? error : new MotionboardError("NETWORK", `no token: ${error}`);
    });
    if (token && account === undefined && this.#account !== undefined && (claims(token).sub ?? "") !== this.#account) {
      throw new MotionboardError("UNAUTHORIZED", "somebody else has signed in: that takes another Motionboard");
    }
    return token;
  }

  /** @param {string} workspace its id or key */
  #id(workspace) {
    return this.#screen.idOf(workspace);
  }

  /** @template {keyof Events} E @param {E} event @param {Events[E]} detail */
  #emit(event, detail) {
    for (const listener of [...this.#listeners]) listener(event, detail);
  }
}
