/** @import { Document, Drafts, Entry, Outbox, Overlay } from "./types.js" */
/** @import { FieldState, FormLeaf, Workspace } from "../motionboard.js" */
import { PLACE, isTemporary, temporaryId } from "./outbox.js";
import { isSame, write } from "./paths.js";

/** From the best to the worst. */
const STATES = /** @type {const} */ (["saved", "saving", "conflict", "failed"]);

/** @param {Iterable<Workspace["saving"]>} states */
export const worst = (states) => STATES[Math.max(0, ...[...states].map((state) => STATES.indexOf(state)))] ?? "saved";

/** @param {Entry} entry @returns {FieldState["state"]} */
export const stateOf = ({ state }) => (state === "failed" || state === "refused" ? "failed" : "saving");

/** @returns {Overlay} */
const nothing = () => ({ edits: new Map(), creation: null, place: null, isRemoved: false });

/**
 * What the person did, by workspace.
 * @param {Outbox | undefined} outbox @param {Drafts | undefined} drafts
 */
export function overlays(outbox, drafts) {
  /** @type {Map<string, Overlay>} */
  const all = new Map();
  const of = (/** @type {string} */ workspace) => {
    if (!all.has(workspace)) all.set(workspace, nothing());
    return /** @type {Overlay} */ (all.get(workspace));
  };
  // What a later frame of ours has written already is not shown again while an earlier one still waits for its answer.
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
 * A workspace as it is to be shown.
 * @param {string} key @param {Document} document
 * @param {Overlay | undefined} overlay
 * @param {Iterable<[string, FormLeaf]>} held what fields hold in which somebody is typing
 * @param {boolean} requesting
 * @param {<T extends string | null>(url: T) => T} resolve
 * @returns {Workspace}
 */
export function view(key, document, { edits, creation, place } = nothing(), held, requesting, resolve) {
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

/**
 * The same object as before where nothing changed in it, and the same parts of it.
 * @param {Workspace | undefined} before @param {Workspace} now
 */
export function unchanged(before, now) {
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

/** The order of a board: by place, then the older first (contract §2). @param {Workspace} a @param {Workspace} b */
export const byPlace = (a, b) => a.order_index - b.order_index || compare(a.created_at, b.created_at) || compare(a.key, b.key);

const LARGEST_PLACE = 1_000_000;
const LARGEST_GAP = 1_024;

/**
 * New places that put a workspace before another, or at the end: for it alone where there is room, else for all with room between them.
 * @param {readonly Workspace[]} board in its order @param {Workspace} moved @param {Workspace | undefined} before
 * @returns {Array<[string, number]>} by id, or key of what has none yet
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
