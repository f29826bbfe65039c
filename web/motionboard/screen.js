/** @import { Document, Drafts, Entry, MakeScreen, Outbox, Overlay } from "./types.js" */
/** @import { BoardState, FieldState, FormLeaf, MotionboardError, Workspace } from "../motionboard.js" */
import { PLACE, hasFailed, isTemporary, temporaryId } from "./outbox.js";
import { empty, isSame, read, write } from "./replica.js";

const STATES = /** @type {const} */ (["saved", "saving", "conflict", "failed"]);

/** @param {Iterable<Workspace["saving"]>} states */
const worst = (states) => STATES[Math.max(0, ...[...states].map((state) => STATES.indexOf(state)))] ?? "saved";

/** @param {Entry} entry @returns {FieldState["state"]} */
const stateOf = (entry) => (hasFailed(entry) ? "failed" : "saving");

/** @returns {Overlay} */
const nothing = () => ({ edits: new Map(), creation: null, place: null, isRemoved: false });

/** What the person did, by workspace. @param {Outbox | undefined} outbox @param {Drafts | undefined} drafts */
function overlays(outbox, drafts) {
  /** @type {Map<string, Overlay>} */
  const all = new Map();
  const of = (/** @type {string} */ workspace) => {
    if (!all.has(workspace)) all.set(workspace, nothing());
    return /** @type {Overlay} */ (all.get(workspace));
  };
  // A later frame of ours may be stored while an earlier one still waits.
  for (const entry of outbox?.entries() ?? []) {
    const { type, data, request_id } = entry.frame;
    const { workspace_id = "", updates = {}, reorder_map = {} } = data;
    if (type === "workspace.create") of(temporaryId(request_id)).creation = entry;
    if (type === "workspace.delete") of(workspace_id).isRemoved = true;
    const state = { state: stateOf(entry), error: entry.error };
    for (const [path, value] of Object.entries(updates)) if (outbox?.isNewest(entry, path)) of(workspace_id).edits.set(path, { value, state });
    for (const [id, place] of Object.entries(reorder_map)) if (outbox?.isNewest(entry, PLACE, id)) of(id).place = place;
  }
  for (const { workspace, updates } of drafts?.all() ?? []) {
    for (const [path, value] of Object.entries(updates)) {
      const theirs = drafts?.conflict(workspace, path);
      /** @type {FieldState} */
      const state = theirs === undefined ? { state: "saving", error: null } : { state: "conflict", error: null, theirs };
      of(workspace).edits.set(path, { value, state });
    }
  }
  return all;
}

/**
 * @param {string} key @param {Document} document @param {Overlay | undefined} overlay
 * @param {Iterable<[string, FormLeaf]>} held where somebody is typing
 * @param {boolean} requesting @param {<T extends string | null>(url: T) => T} resolve @returns {Workspace}
 */
function view(key, document, { edits, creation, place } = nothing(), held, requesting, resolve) {
  let shown = document;
  for (const [path, value] of held) shown = write(shown, path, value);
  for (const [path, { value }] of edits) shown = write(shown, path, value);
  /** @type {{ [path: string]: FieldState }} */
  const fields = Object.fromEntries([...edits].map(([path, { state }]) => [path, state]));
  if (creation) fields[""] = { state: stateOf(creation), error: creation.error };
  const { video } = shown;
  return Object.freeze({
    ...shown, key, requesting, fields,
    _id: isTemporary(document._id) ? null : document._id,
    order_index: place ?? document.order_index,
    image_url: resolve(shown.image_url),
    video: { ...video, url: resolve(video.url), history: (video.history ?? []).map((take) => ({ ...take, url: resolve(take.url) })) },
    saving: worst(Object.values(fields).map(({ state }) => state)),
  });
}

/** Keeps what did not change: it, or parts of it. @param {Workspace | undefined} before @param {Workspace} now */
function unchanged(before, now) {
  if (!before) return now;
  let isEqual = true;
  const parts = Object.fromEntries(Object.entries(now).map(([name, value]) => {
    const former = before[/** @type {keyof Workspace} */ (name)];
    const same = isSame(former, value) || (typeof value === "object" && JSON.stringify(former) === JSON.stringify(value));
    isEqual &&= same;
    return [name, same ? former : value];
  }));
  return isEqual ? before : /** @type {Workspace} */ (/** @type {unknown} */ (Object.freeze(parts)));
}

/** @param {string} a @param {string} b */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Contract §2. @param {Workspace} a @param {Workspace} b */
const byPlace = (a, b) => a.order_index - b.order_index || compare(a.created_at, b.created_at) || compare(a.key, b.key);

const LARGEST_PLACE = 1_000_000;
const LARGEST_GAP = 1_024;

/**
 * New places that put a workspace before another, or at the end: for it alone where there is room, else for all, with room between them.
 * @param {readonly Workspace[]} board @param {Workspace} moved @param {Workspace | undefined} before
 * @returns {Array<[string, number]>} by id, or by key
 */
export function places(board, moved, before) {
  const others = board.filter((workspace) => workspace !== moved);
  const index = before ? others.indexOf(before) : others.length;
  const low = others[index - 1]?.order_index ?? -1;
  const high = others[index]?.order_index;
  const place = high === undefined ? low + 1 : Math.floor((low + high) / 2);
  const id = (/** @type {Workspace} */ workspace) => workspace._id ?? workspace.key;
  if (place > low && place < (high ?? LARGEST_PLACE + 1)) return moved._id && place === moved.order_index ? [] : [[id(moved), place]];
  const order = [...others.slice(0, index), moved, ...others.slice(index)];
  const gap = Math.max(1, Math.min(LARGEST_GAP, Math.floor(LARGEST_PLACE / order.length)));
  return order.flatMap((workspace, position) => {
    const renewed = Math.min(position * gap, LARGEST_PLACE);
    // What the server has not made yet has no place, only one that is shown.
    return workspace._id && workspace.order_index === renewed ? [] : [[id(workspace), renewed]];
  });
}

/** What a page's listener throws is the page's own affair. @param {() => void} listener */
export function tell(listener) {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

const EARLY = 60_000;

/** @type {MakeScreen} */
export function makeScreen(platform, replica, connection, toAbsolute) {
  /** @type {Outbox | undefined} */
  let outbox;
  /** @type {Drafts | undefined} */
  let drafts;
  /** @type {Map<string, string>} */
  const ids = new Map();
  /** @type {Map<string, string>} */
  const keys = new Map();
  /** Where somebody is typing, by key. @type {Map<string, Map<string, { value: FormLeaf, holders: number }>>} */
  const held = new Map();
  /** Requests for a video that were not answered, by key. @type {Map<string, number>} */
  const requests = new Map();
  /** By key. @type {Map<string, { document: Document, isPlain: boolean, workspace: Workspace }>} */
  const views = new Map();
  /** By what they are unsigned. @type {Map<string, { url: string, until: number }>} */
  const addresses = new Map();
  /** @type {Set<() => void>} */
  const listeners = new Set();
  let isDirty = true;
  let isTelling = false;
  let isLoaded = false;
  /** @type {MotionboardError | null} */
  let error = null;
  /** @type {BoardState} */
  let state = Object.freeze({ connection: "closed", attempt: 0, retryAt: null, loaded: false, error, workspaces: Object.freeze([]), saving: "saved" });

  const keyOf = (/** @type {string} */ id) => keys.get(id) ?? id;

  /**
   * Signatures change: while an older one is good it stays, so that nothing is loaded twice.
   * @template {string | null} T @param {T} url @returns {T}
   */
  const resolve = (url) => {
    const absolute = toAbsolute(url);
    const [name = "", query] = absolute?.split("?") ?? [];
    const until = Number(new URLSearchParams(query).get("expires")) * 1_000;
    if (!until) return absolute;
    const known = addresses.get(name);
    if (known && known.until - EARLY > platform.now()) return /** @type {T} */ (known.url);
    addresses.set(name, { url: absolute ?? "", until });
    return absolute;
  };

  /** @param {Document} document @param {Overlay | undefined} overlay */
  const viewOf = (document, overlay) => {
    const key = keyOf(document._id);
    const holds = [...held.get(key) ?? []];
    const requesting = !!requests.get(key);
    const isPlain = !overlay && !holds.length && !requesting;
    const known = views.get(key);
    if (known?.isPlain && isPlain && known.document === document) return known.workspace;
    const values = holds.map(([path, { value }]) => /** @type {[string, FormLeaf]} */ ([path, value]));
    const workspace = unchanged(known?.workspace, view(key, document, overlay, values, requesting, resolve));
    views.set(key, { document, isPlain, workspace });
    return workspace;
  };

  const build = () => {
    isDirty = false;
    const all = overlays(outbox, drafts);
    const documents = replica.documents();
    const end = 1 + Math.max(-1, ...documents.map(({ order_index }) => order_index));
    for (const [id, { creation }] of all) {
      const { timestamp = 0, data } = creation?.frame ?? {};
      if (creation) documents.push(empty(id, data?.order_index ?? end, new Date(timestamp).toISOString()));
    }
    const shown = documents.filter(({ _id }) => !all.get(_id)?.isRemoved).map((document) => viewOf(document, all.get(document._id))).sort(byPlace);
    const { workspaces: before } = state;
    const isSame = before.length === shown.length && shown.every((workspace, index) => workspace === before[index]);
    const due = (outbox?.entries() ?? []).filter(({ isHeld }) => !isHeld);
    /** @type {BoardState} */
    const next = {
      connection: connection.state, attempt: connection.attempt, retryAt: connection.retryAt, loaded: isLoaded, error,
      workspaces: isSame ? before : Object.freeze(shown),
      saving: worst([...shown.map(({ saving }) => saving), ...due.map(stateOf)]),
    };
    if (Object.entries(next).some(([name, value]) => value !== state[/** @type {keyof BoardState} */ (name)])) state = Object.freeze(next);
  };

  /** @type {import("./types.js").Screen} */
  const self = {
    get state() {
      if (isDirty) build();
      return state;
    },
    get isLoaded() {
      return isLoaded;
    },
    get error() {
      return error;
    },
    show: (box, drafted) => void ([outbox, drafts] = [box, drafted]),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    changed() {
      isDirty = true;
      if (isTelling) return;
      isTelling = true;
      const before = state;
      queueMicrotask(() => {
        isTelling = false;
        if (self.state !== before) for (const listener of [...listeners]) tell(listener);
      });
    },
    renew: () => addresses.clear(),
    loaded(why) {
      isLoaded ||= !why;
      error = why;
      self.changed();
    },
    idOf: (key) => ids.get(key) ?? key,
    keyOf,
    rename(key, id) {
      ids.set(key, id);
      keys.set(id, key);
    },
    workspace: (id) => self.state.workspaces.find(({ key }) => key === keyOf(id)),
    unsaved(id) {
      const overlay = overlays(outbox, drafts).get(id);
      if (!overlay?.edits.size) return undefined;
      const unseen = () => view(id, empty(id, 0, new Date(platform.now()).toISOString()), overlay, [], false, resolve);
      const updates = Object.fromEntries([...overlay.edits].map(([path, { value }]) => [path, value]));
      return { workspace: views.get(keyOf(id))?.workspace ?? unseen(), updates };
    },
    forget(id) {
      for (const map of [views, held, requests]) map.delete(keyOf(id));
    },
    hold(id, path) {
      const key = keyOf(id);
      const holds = held.get(key) ?? new Map();
      const hold = holds.get(path) ?? { value: read(views.get(key)?.workspace, path), holders: 0 };
      hold.holders += 1;
      held.set(key, holds.set(path, hold));
      let isHeld = true;
      return () => {
        if (isHeld && --hold.holders === 0) holds.delete(path);
        isHeld = false;
        self.changed();
      };
    },
    typed(id, edits) {
      for (const [path, hold] of held.get(keyOf(id)) ?? []) if (path in edits) hold.value = edits[path] ?? null;
    },
    request(id) {
      const key = keyOf(id);
      const add = (/** @type {number} */ more) => {
        requests.set(key, (requests.get(key) ?? 0) + more);
        self.changed();
      };
      add(1);
      return () => add(-1);
    },
  };
  return self;
}
