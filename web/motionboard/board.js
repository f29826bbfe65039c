/** @import { Board, ConnectionEvents, Draft, Drafts, Entry, Frame, Identity, Keeper, Message, Outbox, Platform } from "./types.js" */
/** @import { Options } from "../motionboard.js" */
import { FRAME_BYTES, bytesOf, makeDrafts } from "./drafts.js";
import { makeIdentity, makeKeeper } from "./kept.js";
import { hasFailed, isTemporary, makeOutbox, temporaryId } from "./outbox.js";
import { leaves, makeReplica } from "./replica.js";
import { makeScreen, places, tell } from "./screen.js";
import { MotionboardError, claims, makeConnection, makeLoader, makeRest } from "./wire.js";

/** Pushes may be lost, and a server that was away be back. */
const WATCH = 120_000;
const PUSH_DELAY = 2_000;
/** Reorders bear no `updated_at`: which was the last one only the list says. */
const REORDER_DELAY = 1_000;
/** Browsers have databases that never open. */
const STORE_LIMIT = 3_000;
/** A frame of 32 KiB takes some 900 places. */
const PLACES = 600;
/** Who has heard nothing for so long, when a frame is given up, has no connection. */
const DEAD = 15_000;

/** See `motionboard.d.ts`; for the parts `types.d.ts`. @param {Options} options @param {Platform} platform @returns {Board} */
export function makeBoard(options, platform) {
  const { conflicts, account, getToken } = options;
  /** @type {{ identity: Identity, keeper: Keeper, outbox: Outbox, drafts: Drafts } | undefined} */
  let opened;
  /** Whose tokens are taken; undefined until there was one. @type {string | undefined} */
  let subject;
  /** Nobody is signed in yet: whose edits they are is not known. */
  let isAnonymous = false;
  let isActive = false;
  /** @type {{ frames: Frame[], drafts: Draft[] } | null} */
  let carried = null;
  /** @type {Set<string>} */
  let left = new Set();
  /** Who waited while the board was closed sees it. */
  let life = 0;
  /** @type {Promise<void> | undefined} */
  let closing;
  /** @type {Array<() => void>} */
  let ends = [];
  /** @type {unknown} */
  let watch;
  /** @type {Set<(event: string, detail: any) => void>} */
  const listeners = new Set();
  /** @type {Map<string, AbortController>} */
  const uploads = new Map();

  /** @param {boolean} renew */
  const token = async (renew) => {
    const given = await (async () => getToken?.({ renew }) ?? null)().catch((error) => {
      throw error instanceof MotionboardError ? error : new MotionboardError("NETWORK", `no token: ${error}`);
    });
    if (!given) return null;
    const { sub = "" } = claims(given);
    if (isAnonymous) {
      isAnonymous = false;
      queueMicrotask(reopen);
      throw new MotionboardError("NETWORK", "somebody has signed in");
    }
    if (sub !== (subject ??= sub)) throw new MotionboardError("UNAUTHORIZED", "somebody else has signed in: that takes another Motionboard");
    return given;
  };

  /** @type {ConnectionEvents} */
  const events = {
    open() {
      const { outbox, drafts } = edits();
      outbox.transmitAll();
      drafts.sealAll();
      void loader.load();
    },
    message: (message) => hear(message),
    lost: () => edits().outbox.disconnected(),
    replaced() {
      edits().outbox.retryFailed();
      void loader.load();
    },
    // If it was the token, the list says so.
    refused: () => void (getToken && loader.load()),
    change: () => screen.changed(),
  };
  const socket = new URL(options.socket || "/", platform.base);
  socket.protocol = socket.protocol.replace("http", "ws");
  const rest = makeRest(platform, new URL(options.api || "/", platform.base).href.replace(/\/$/, ""), token);
  const connection = makeConnection(platform, socket.href, token, events);
  const replica = makeReplica();
  const screen = makeScreen(platform, replica, connection, rest.resolve);
  const loader = makeLoader(platform, rest, replica, {
    wanted: () => edits().drafts.all().map(({ workspace }) => workspace).filter((id) => !isTemporary(id)),
    loaded(missing) {
      for (const id of missing) gone(id);
      screen.loaded(null);
      edits().drafts.sealAll();
    },
    failed(error) {
      screen.loaded(error);
      if (error.code === "UNAUTHORIZED") connection.unauthorized(false);
      return ["open", "connecting", "reconnecting"].includes(connection.state);
    },
  });

  const edits = () => {
    if (!opened) throw new Error("Motionboard: call open() first");
    return opened;
  };

  /** Begins anew, with what was done in this life of the page: it was the same person. */
  const reopen = () => {
    const { outbox, drafts } = edits();
    // What somebody left, who was not signed in either, stays where it is.
    const entries = outbox.entries().filter(({ isOld }) => !isOld);
    carried = { frames: entries.map(({ frame }) => frame), drafts: drafts.all().filter(({ workspace }) => !left.has(workspace)) };
    for (const entry of entries) outbox.drop(entry);
    for (const { workspace } of carried.drafts) drafts.discard(workspace);
    self.close();
    void self.open();
  };

  const emit = (/** @type {string} */ event, /** @type {unknown} */ detail) => {
    for (const listener of [...listeners]) tell(() => listener(event, detail));
  };

  const hear = (/** @type {Message} */ message) => {
    const { type, data, request_id } = message;
    const { identity, outbox } = edits();
    identity.heard(message.timestamp);
    const entry = request_id === undefined ? undefined : outbox.find(request_id);
    if (type === "error") refused(entry, data);
    else if (entry) stored(entry, data);
    else if (request_id === undefined) told(message);
    screen.changed();
  };

  const stored = (/** @type {Entry} */ entry, /** @type {Message["data"]} */ data) => {
    const { frame: { type, request_id, data: { workspace_id: id = "" } }, sends, isOld } = entry;
    const { outbox, drafts } = edits();
    replica.stored(entry.frame, data, (path, workspace) => outbox.isNewest(entry, path, workspace));
    if (type === "workspace.create") {
      const [from, to] = [temporaryId(request_id), data.workspace_id ?? ""];
      for (const part of [screen, drafts, outbox]) part.rename(from, to);
    }
    outbox.done(entry);
    // What an earlier try has made may be changed or deleted since.
    if (type === "workspace.create" && (isOld || sends > 1)) void loader.load();
    if (type === "workspace.delete") forget(id);
    if (type === "workspace.reorder") loader.loadLater(REORDER_DELAY);
    drafts.seal(id);
  };

  const refused = (/** @type {Entry | undefined} */ entry, /** @type {Message["data"]} */ { code = "GATEWAY_ERROR", message = "", context: details = {} }) => {
    const { outbox, drafts } = edits();
    const error = new MotionboardError(code, message, { details, retryAfter: Number(details["retry_after_seconds"]) || 0 });
    const isBorne = !entry || outbox.bears(entry, error);
    if (code === "UNAUTHORIZED") connection.unauthorized(true);
    if (isBorne) return;
    const { frame: { bases = {}, data: { workspace_id: workspace = "", updates = {} } } } = entry;
    const outcome = outbox.refused(entry, error);
    if (outcome === "gone") gone(workspace);
    if (outcome === "forgotten") forget(workspace);
    if (outcome === "conflict") drafts.putBack({ workspace, updates, bases });
    if (outcome === "conflict" || outcome === "outdated") void loader.load();
  };

  /** @param {Message} message */
  const told = (message) => {
    // What is not known has overtaken its creation.
    if (!replica.hear(message)) loader.loadLater(PUSH_DELAY);
    if (message.type === "workspace.deleted") gone(message.data.workspace_id ?? "");
    if (message.type === "workspace.reordered") loader.loadLater(REORDER_DELAY);
  };

  /** A workspace was deleted elsewhere. @param {string} id */
  const gone = (id) => {
    const unsaved = screen.unsaved(id);
    forget(id);
    if (unsaved) emit("lost", unsaved);
  };

  const forget = (/** @type {string} */ id) => {
    const { outbox, drafts } = edits();
    replica.remove(id);
    drafts.discard(id);
    const error = new MotionboardError("WORKSPACE_NOT_FOUND", "the workspace was deleted", { details: { workspace_id: id } });
    for (const entry of outbox.entries()) if (entry.frame.data.workspace_id === id) outbox.drop(entry, error);
    screen.forget(id);
  };

  const gaveUp = (/** @type {Entry} */ { state, frame }) => {
    if (state === "failed" && !connection.hasHeardSince(platform.now() - DEAD)) connection.suspect();
    edits().drafts.seal(frame.data.workspace_id ?? "");
    screen.changed();
  };

  const look = () => {
    if (connection.isOpen) edits().outbox.retryFailed();
    if (self.state.workspaces.some(({ video }) => video.status === "generating")) void loader.load();
    watch = platform.setTimeout(look, WATCH);
  };

  /** As the person sees it, once the server has it. @param {string} workspace */
  const asking = async (workspace) => {
    const { outbox, drafts } = edits();
    const creation = outbox.entries().find(({ frame }) => temporaryId(frame.request_id) === workspace);
    if (creation) await outbox.settled(creation);
    const id = screen.idOf(workspace);
    const shown = screen.workspace(id);
    if (!shown) throw new MotionboardError("WORKSPACE_NOT_FOUND", "there is no such workspace", { details: { workspace_id: id } });
    drafts.pause(id);
    return { id, shown };
  };

  const parts = { platform, rest, connection, replica, screen, loader };
  const requests = () => import("./requests.js").catch(() => {
    throw new MotionboardError("NETWORK", "a part of the library can't be loaded");
  });

  /** @type {Board} */
  const self = {
    async open() {
      const mine = ++life;
      subject = undefined;
      isAnonymous = false;
      await closing;
      await token(false).catch(() => null);
      const known = account ?? subject ?? (getToken ? undefined : "");
      const scope = [rest.resolve("/"), known ?? ""].map(encodeURIComponent).join(" ");
      const identity = makeIdentity(platform, scope);
      await identity.claim();
      if (mine !== life) return identity.release();
      isAnonymous = known === undefined;
      const fail = (/** @type {string} */ message) => emit("error", new MotionboardError("GATEWAY_ERROR", message, { details: { kept: false } }));
      const keeper = makeKeeper(platform.store, scope, () => fail("edits can't be kept in this browser"));
      const outbox = makeOutbox(platform, identity, keeper, connection.send, { failed: gaveUp, change: screen.changed });
      const asks = conflicts === "ask";
      const drafts = makeDrafts(platform, { identity, keeper, outbox, replica, asks, isOpen: () => connection.isOpen, onChange: screen.changed });
      opened = { identity, keeper, outbox, drafts };
      screen.show(outbox, drafts);
      const restored = drafts.restore().catch(() => fail("edits of before can't be read"));
      await Promise.race([restored, new Promise((resolve) => void platform.setTimeout(() => resolve(null), STORE_LIMIT))]);
      if (mine !== life) return;
      isActive = true;
      left = new Set(drafts.all().map(({ workspace }) => workspace));
      outbox.restore(carried?.frames.filter(({ request_id }) => !outbox.find(request_id)) ?? []);
      for (const draft of carried?.drafts ?? []) drafts.putBack(draft);
      carried = null;
      ends = [
        platform.on("hidden", () => {
          identity.leave(true);
          drafts.flush();
        }),
        platform.on("leave", outbox.hurry),
        platform.on("shown", () => {
          identity.leave(false);
          connection.check(false);
          if (connection.isOpen) void loader.load();
          else connection.start();
        }),
        platform.on("online", connection.start),
        platform.on("offline", connection.suspect),
        () => platform.clearTimeout(watch),
      ];
      look();
      connection.start();
      await loader.load();
    },

    close() {
      life += 1;
      isActive = false;
      if (!opened) return;
      const { identity, keeper, outbox, drafts } = opened;
      drafts.flush();
      for (const part of [outbox, drafts, connection, loader]) part.stop();
      for (const upload of uploads.values()) upload.abort();
      for (const end of ends.splice(0)) end();
      closing = keeper.settled().then(identity.release);
    },

    retry(workspace) {
      if (!opened || !isActive) return;
      if (connection.state === "unauthorized" && !screen.isLoaded) return reopen();
      const { outbox } = opened;
      for (const entry of outbox.entries()) {
        const { data, request_id } = entry.frame;
        const isMeant = !workspace || screen.idOf(workspace) === (data.workspace_id ?? temporaryId(request_id));
        if (isMeant && hasFailed(entry)) outbox.again(entry);
      }
      if (!connection.isOpen) connection.start();
      if (screen.error) void loader.load();
      screen.changed();
    },

    refresh() {
      screen.renew();
      return isActive ? loader.load() : Promise.resolve();
    },

    get state() {
      return screen.state;
    },

    subscribe: screen.subscribe,
    on(event, listener) {
      const heard = (/** @type {string} */ name, /** @type {any} */ detail) => void (name === event && listener(detail));
      listeners.add(heard);
      return () => void listeners.delete(heard);
    },

    workspace: (id) => screen.workspace(screen.idOf(id)),
    hold: (workspace, path) => screen.hold(screen.idOf(workspace), path),

    create({ order_index } = {}) {
      const { frame } = edits().outbox.add("workspace.create", order_index === undefined ? {} : { order_index });
      screen.changed();
      return temporaryId(frame.request_id);
    },

    edit(workspace, updates, { now = false } = {}) {
      const { drafts } = edits();
      const id = screen.idOf(workspace);
      const spelt = leaves(updates);
      for (const [path, value] of Object.entries(spelt)) {
        if (bytesOf({ [path]: value }) > FRAME_BYTES) throw new MotionboardError("INVALID_DATA", "more than fits into one frame", { details: { path } });
      }
      screen.typed(id, spelt);
      drafts.type(id, spelt);
      if (now) drafts.pause(id);
      screen.changed();
    },

    resolve(workspace, path, keep) {
      edits().drafts.resolve(screen.idOf(workspace), path, keep);
      screen.changed();
    },

    remove(workspace, { delay } = {}) {
      const { outbox } = edits();
      const entry = outbox.add("workspace.delete", { workspace_id: screen.idOf(workspace) }, {}, delay);
      screen.changed();
      return () => {
        const isInTime = entry.sends === 0 && outbox === opened?.outbox && outbox.find(entry.frame.request_id) === entry;
        if (isInTime) outbox.drop(entry);
        screen.changed();
        return isInTime;
      };
    },

    move(workspace, before) {
      const moved = self.workspace(workspace);
      const next = before === null ? undefined : self.workspace(before);
      if (!moved || moved === next) return;
      const changes = places(self.state.workspaces, moved, next);
      for (let start = 0; start < changes.length; start += PLACES) {
        edits().outbox.add("workspace.reorder", { reorder_map: Object.fromEntries(changes.slice(start, start + PLACES)) });
      }
      screen.changed();
    },

    async upload(workspace, file, { onProgress = () => {}, signal } = {}) {
      const controller = new AbortController();
      const abort = () => controller.abort();
      const key = screen.keyOf(workspace);
      uploads.get(key)?.abort();
      uploads.set(key, controller);
      if (signal?.aborted) abort();
      signal?.addEventListener("abort", abort);
      try {
        const { image_path, image_url } = await (await requests()).upload(parts, file, onProgress, controller.signal);
        if (controller.signal.aborted) throw new MotionboardError("ABORTED", "the upload was stopped");
        self.edit(workspace, { image_path, image_url }, { now: true });
        return { image_path, image_url };
      } finally {
        signal?.removeEventListener("abort", abort);
        if (uploads.get(key) === controller) uploads.delete(key);
      }
    },

    async generate(workspace) {
      const { id, shown } = await asking(workspace);
      return (await requests()).generate(parts, id, shown);
    },

    async cancel(workspace) {
      const { id } = await asking(workspace);
      const { outbox } = edits();
      if (!connection.isOpen) throw new MotionboardError("NETWORK", "there is no connection");
      const settled = outbox.settled(outbox.add("video.cancel", { workspace_id: id }));
      screen.changed();
      await settled;
    },

    async suggest(workspace, input) {
      const { id, shown } = await asking(workspace);
      return (await requests()).suggest(parts, id, shown, input);
    },
  };
  return self;
}
