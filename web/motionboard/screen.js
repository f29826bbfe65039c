/** @import { Document, Drafts, MakeScreen, Outbox, Overlay } from "./types.js" */
/** @import { BoardState, FormLeaf, MotionboardError, Workspace } from "../motionboard.js" */
import { read } from "./paths.js";
import { empty } from "./replica.js";
import { byPlace, overlays, stateOf, unchanged, view, worst } from "./views.js";

/** A signed address is used until so long before its end. */
const EARLY = 60_000;

/** @type {MakeScreen} */
export function makeScreen(platform, replica, connection, toAbsolute) {
  /** @type {Outbox | undefined} */
  let outbox;
  /** @type {Drafts | undefined} */
  let drafts;
  /** The ids of workspaces that were made here, by their keys, and the other way round. @type {Map<string, string>} */
  const ids = new Map();
  /** @type {Map<string, string>} */
  const keys = new Map();
  /** Where somebody is typing, by key. @type {Map<string, Map<string, { value: FormLeaf, holders: number }>>} */
  const held = new Map();
  /** Requests for a video that were not answered, by key. @type {Map<string, number>} */
  const requests = new Map();
  /** By key. @type {Map<string, { document: Document, isPlain: boolean, workspace: Workspace }>} */
  const views = new Map();
  /** Signed addresses by what they are without their signature. @type {Map<string, { url: string, until: number }>} */
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
   * An address, absolute. Signatures change with each list: while an older one is good it stays, so that nothing is loaded twice.
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
        if (self.state !== before) for (const listener of [...listeners]) listener();
      });
    },
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
