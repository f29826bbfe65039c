/** @import { Draft, Frame, Leaves, MakeDrafts } from "./types.js" */
/** @import { FormLeaf } from "../motionboard.js" */
import { isTemporary, temporaryId } from "./outbox.js";
import { empty, isRelated, isSame, read } from "./replica.js";

/** The design's debounce. */
const PAUSE = 300;
/** Of 32 KiB (contract §6), the envelope needs some. */
export const FRAME_BYTES = 32 * 1024 - 512;

const encoder = new TextEncoder();
/** @param {Leaves} updates */
export const bytesOf = (updates) => encoder.encode(JSON.stringify(updates)).length;

/** Signatures of addresses change. @param {FormLeaf | undefined} value */
const bare = (value) => (typeof value === "string" && value.startsWith("/api/uploads/") ? value.split("?")[0] : value);

/** @type {MakeDrafts} */
export function makeDrafts(platform, { identity, keeper, outbox, replica, isOpen, asks, onChange }) {
  /** @type {Map<string, Draft>} */
  const all = new Map();
  /** Where they are kept. @type {Map<string, string>} */
  const keys = new Map();
  /** Where somebody is typing. @type {Map<string, unknown>} */
  const timers = new Map();
  /** What another device wrote, by workspace and path. @type {Map<string, FormLeaf>} */
  const conflicts = new Map();

  const owner = identity.client;
  /** Edits of what isn't made yet are kept with what makes it, whoever takes that up. @param {string} workspace */
  const ownerOf = (workspace) => outbox.entries().find(({ frame }) => temporaryId(frame.request_id) === workspace)?.frame.client_id ?? owner;

  const of = (/** @type {string} */ workspace) => all.get(workspace) ?? { workspace, updates: {}, bases: {} };

  /** @param {Draft} draft */
  const set = (draft) => {
    const { workspace } = draft;
    const key = keys.get(workspace) ?? `draft|${ownerOf(workspace)}|${workspace}`;
    const isEmpty = !Object.keys(draft.updates).length;
    keeper.put(key, isEmpty ? undefined : draft);
    if (isEmpty) {
      all.delete(workspace);
      keys.delete(workspace);
    } else {
      all.set(workspace, draft);
      keys.set(workspace, key);
    }
  };

  const updatesOf = (/** @type {string} */ workspace) =>
    outbox.entries().filter(({ frame }) => frame.data.workspace_id === workspace && frame.data.updates);

  /** What a path will hold. @param {string} workspace @param {string} path @returns {FormLeaf} */
  const underWay = (workspace, path) => {
    const sent = updatesOf(workspace).map(({ frame }) => frame.data.updates ?? {}).filter((updates) => path in updates).at(-1);
    return sent?.[path] ?? read(sent ? undefined : replica.document(workspace) ?? empty("", 0, ""), path);
  };

  /** What was refused is typed anew. @param {string} workspace @param {Leaves} edits */
  const withdraw = (workspace, edits) => {
    for (const entry of updatesOf(workspace).filter(({ state }) => state === "refused")) {
      const { data } = entry.frame;
      const left = Object.entries(data.updates ?? {}).filter(([path]) => !(path in edits));
      if (left.length) outbox.change(entry, { ...entry.frame, data: { ...data, updates: Object.fromEntries(left) } });
      else outbox.drop(entry);
    }
  };

  /** @param {Draft} draft @returns {Draft | null} */
  const take = ({ workspace, updates, bases }) => {
    /** @type {Draft} */
    const taken = { workspace, updates: {}, bases: {} };
    /** @type {Draft} */
    const left = { workspace, updates: {}, bases: {} };
    let bytes = 0;
    for (const [path, value] of Object.entries(updates)) {
      const size = bytesOf({ [path]: value });
      const fits = !bytes || bytes + size <= FRAME_BYTES;
      const part = fits && self.conflict(workspace, path) === undefined ? taken : left;
      if (part === taken) bytes += size;
      part.updates[path] = value;
      part.bases[path] = bases[path] ?? null;
    }
    if (bytes) set(left);
    return bytes ? taken : null;
  };

  /** @type {import("./types.js").Drafts} */
  const self = {
    all: () => [...all.values()],
    async restore() {
      const clientOf = (/** @type {string} */ key) => key.split("|")[1] ?? "";
      /** @type {Set<string>} */
      const ours = new Set();
      for (const [key, value] of await keeper.all()) {
        const client = key.startsWith("draft|") ? clientOf(key) : /** @type {Frame} */ (value).client_id;
        if (await identity.adopt(client)) ours.add(client);
      }
      // Read again: until it was ours, another may have sent it.
      const kept = await keeper.all();
      const frames = kept.filter(([key]) => key.startsWith("frame|")).map(([, frame]) => /** @type {Frame} */ (frame));
      const drafts = kept.filter(([key]) => key.startsWith("draft|"));
      outbox.restore(frames.filter(({ client_id }) => ours.has(client_id)));
      for (const [key, draft] of drafts) {
        if (!ours.has(clientOf(key))) continue;
        keeper.put(key, undefined);
        self.putBack(/** @type {Draft} */ (draft));
      }
    },
    type(workspace, edits) {
      withdraw(workspace, edits);
      const { updates, bases } = of(workspace);
      const others = Object.entries(updates).filter(([path]) => !Object.keys(edits).some((newer) => isRelated(path, newer)));
      const seen = Object.keys(edits).map((path) => [path, path in bases ? bases[path] : underWay(workspace, path)]);
      set({ workspace, updates: { ...Object.fromEntries(others), ...edits }, bases: { ...bases, ...Object.fromEntries(seen) } });
      platform.clearTimeout(timers.get(workspace));
      timers.set(workspace, platform.setTimeout(() => self.pause(workspace), PAUSE));
    },
    pause(workspace) {
      platform.clearTimeout(timers.get(workspace));
      timers.delete(workspace);
      self.seal(workspace);
    },
    flush() {
      for (const workspace of all.keys()) self.pause(workspace);
    },
    seal(workspace) {
      const document = replica.document(workspace);
      if (!all.has(workspace) || !isOpen() || isTemporary(workspace) || timers.has(workspace)) return;
      if (asks) {
        // One frame in flight for each workspace, or it conflicts with itself (contract §6).
        if (!document || updatesOf(workspace).some(({ state }) => state !== "refused")) return;
        const { updates, bases } = of(workspace);
        for (const path of Object.keys(updates)) {
          const theirs = read(document, path);
          if (!isSame(bare(theirs), bare(bases[path])) && !isSame(bare(theirs), bare(updates[path]))) conflicts.set(`${workspace} ${path}`, theirs);
        }
      }
      for (let taken; (taken = take(of(workspace)));) {
        const { updates, bases } = taken;
        const lock = asks ? { client_timestamp: Date.parse(document?.updated_at ?? "") } : {};
        outbox.add("workspace.update", { workspace_id: workspace, updates, ...lock }, asks ? { bases } : {});
        if (asks) break;
      }
      onChange();
    },
    sealAll() {
      for (const workspace of all.keys()) self.seal(workspace);
    },
    putBack({ workspace, updates, bases }) {
      const draft = of(workspace);
      set({ workspace, updates: { ...updates, ...draft.updates }, bases: { ...draft.bases, ...bases } });
    },
    conflict: (workspace, path) => conflicts.get(`${workspace} ${path}`),
    resolve(workspace, path, keep) {
      const theirs = self.conflict(workspace, path);
      if (theirs === undefined) return;
      conflicts.delete(`${workspace} ${path}`);
      const { updates, bases } = of(workspace);
      if (keep === "mine") set({ workspace, updates, bases: { ...bases, [path]: theirs } });
      else set({ workspace, bases, updates: Object.fromEntries(Object.entries(updates).filter(([other]) => other !== path)) });
      self.seal(workspace);
    },
    discard(workspace) {
      platform.clearTimeout(timers.get(workspace));
      timers.delete(workspace);
      if (all.has(workspace)) set({ workspace, updates: {}, bases: {} });
      for (const key of conflicts.keys()) if (key.startsWith(`${workspace} `)) conflicts.delete(key);
    },
    rename(from, to) {
      const draft = all.get(from);
      if (!draft) return;
      const isTyping = timers.has(from);
      self.discard(from);
      self.putBack({ ...draft, workspace: to });
      if (isTyping) timers.set(to, platform.setTimeout(() => self.pause(to), PAUSE));
      else self.seal(to);
    },
    stop() {
      for (const timer of timers.values()) platform.clearTimeout(timer);
    },
  };
  return self;
}
