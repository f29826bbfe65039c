/** @import { Document, Known, Leaves, MakeReplica, Message } from "./types.js" */
/** @import { Exchange, FormLeaf, FormValue } from "../motionboard.js" */
import { PLACE } from "./outbox.js";

// Paths: names come from outside and may be `__proto__` or `constructor`. Only own members are read, and what is written is
// never assigned to an existing object.

/** @param {unknown} value @returns {value is { [name: string]: FormValue }} */
const isBranch = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Objects stand for their leaves (contract §3). @param {{ [path: string]: FormValue }} updates @returns {Leaves} */
export const leaves = (updates) => Object.fromEntries(Object.entries(updates).flatMap(([path, value]) => spell(path, value)));

/** @param {string} path @param {FormValue} value @returns {Array<[string, FormLeaf]>} */
function spell(path, value) {
  if (!isBranch(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, child]) => spell(`${path}.${name}`, child));
}

/** Paths that can't be in one frame. @param {string} a @param {string} b */
export const isRelated = (a, b) => a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

/** @param {object | undefined} document @param {string} path @returns {FormLeaf} null for what isn't there */
export function read(document, path) {
  /** @type {unknown} */
  let value = document;
  for (const name of path.split(".")) value = isBranch(value) && Object.hasOwn(value, name) ? value[name] : null;
  return /** @type {FormLeaf} */ (value);
}

/**
 * What does not change is the same object as before.
 * @template {object} T @param {T} document @param {string} path @param {FormLeaf} value @returns {T}
 */
export const write = (document, path, value) => /** @type {T} */ (written(document, path.split("."), value));

/** @param {unknown} branch @param {string[]} names @param {FormLeaf} value @returns {unknown} */
function written(branch, [name = "", ...rest], value) {
  const members = isBranch(branch) ? branch : {};
  const child = Object.hasOwn(members, name) ? members[name] : undefined;
  const next = rest.length ? written(child, rest, value) : value;
  return isSame(child, next) ? branch : { ...members, [name]: next };
}

/** @param {unknown} a @param {unknown} b */
export const isSame = (a, b) => Object.is(a, b) || (Array.isArray(a) && Array.isArray(b) && JSON.stringify(a) === JSON.stringify(b));

const TAKES = 10;
const EXCHANGES = 50;

/** @param {string} id @param {number} order_index @param {string} at @returns {Document} */
export const empty = (id, order_index, at) => ({
  _id: id, order_index, image_path: null, image_url: null, ai_collaboration: [], created_at: at, updated_at: at,
  form_data: { camera_movement: "", shot_type: "", lighting: "", motion_prompt: "", checkboxes: {} },
  video: { status: "pending", task_id: null, url: null, error: null, history: [] },
});

/** @param {Document} document @param {Message["data"]} news @returns {Document} */
function withStatus(document, { status = "pending", video_url, error }) {
  const { video, updated_at } = document;
  const isAnother = status === "generating" && video.status !== "generating";
  const former = video.history ?? [];
  const history = isAnother && video.url ? [...former, { task_id: video.task_id, url: video.url, created_at: updated_at }].slice(-TAKES) : former;
  return { ...document, video: { status, task_id: isAnother ? null : video.task_id, url: video_url ?? null, error: error ?? null, history } };
}

/** @param {Document} document @param {readonly Exchange[]} more @returns {Document} */
function withExchanges(document, more) {
  const known = document.ai_collaboration;
  const isNew = (/** @type {Exchange} */ { created_at, user_input }) =>
    !known.some((other) => other.created_at === created_at && other.user_input === user_input);
  const added = more.filter(isNew);
  const all = [...known, ...added].sort((a, b) => (a.created_at < b.created_at ? -1 : 1)).slice(-EXCHANGES);
  return added.length ? { ...document, ai_collaboration: all } : document;
}

/** @type {MakeReplica} */
export function makeReplica() {
  /** @type {Map<string, Known>} */
  const all = new Map();
  /** @type {Set<string>} */
  const deleted = new Set();
  /** What is stored of workspaces that are not known yet. @type {Map<string, Array<[Leaves, number]>>} */
  const early = new Map();
  let moment = 0;

  const touch = (/** @type {Known} */ known, /** @type {number} */ at) => {
    const { document } = known;
    if (at > Date.parse(document.updated_at)) known.document = { ...document, updated_at: new Date(at).toISOString() };
  };

  /** @param {Known} known @param {string} path @param {number} at @param {(document: Document) => Document} change */
  const renew = (known, path, at, change) => {
    if (!(at > Math.max(known.base, known.paths.get(path) ?? 0))) return;
    known.paths.set(path, at);
    known.document = change(known.document);
  };

  const writeAll = (/** @type {Known} */ known, /** @type {Leaves} */ updates, /** @type {number} */ at) => {
    for (const [path, value] of Object.entries(updates)) renew(known, path, at, (document) => write(document, path, value));
    touch(known, at);
  };

  const place = (/** @type {{ [id: string]: number }} */ places = {}) => {
    for (const [id, order_index] of Object.entries(places)) {
      const known = all.get(id);
      if (known) Object.assign(known, { placed: ++moment, document: { ...known.document, order_index } });
    }
  };

  const whole = (/** @type {Document} */ document, keepsPlace = false) => {
    const { _id: id } = document;
    const base = Date.parse(document.updated_at);
    const known = all.get(id);
    if (deleted.has(id) || (known && base < known.base)) return;
    if (!known) {
      /** @type {Known} */
      const made = { document, base, paths: new Map(), learned: ++moment, placed: 0 };
      all.set(id, made);
      for (const [updates, at] of early.get(id) ?? []) writeAll(made, updates, at);
      return void early.delete(id);
    }
    const before = known.document;
    known.base = base;
    known.document = keepsPlace ? { ...document, order_index: before.order_index } : document;
    for (const [path, at] of known.paths) {
      if (at <= base) known.paths.delete(path);
      else if (path === "video") known.document = { ...known.document, video: before.video };
      else if (path === "ai_collaboration") known.document = withExchanges(known.document, before.ai_collaboration);
      else known.document = write(known.document, path, read(before, path));
      touch(known, at);
    }
  };

  const remove = (/** @type {string} */ id) => {
    deleted.add(id);
    all.delete(id);
  };

  return {
    document: (id) => all.get(id)?.document,
    documents: () => [...all.values()].map(({ document }) => document),
    moment: () => moment,
    remove,
    list(documents, asked) {
      const listed = new Set(documents.map(({ _id }) => _id));
      let isStale = false;
      for (const document of documents) {
        const isPlacedSince = (all.get(document._id)?.placed ?? 0) > asked;
        isStale ||= isPlacedSince;
        whole(document, isPlacedSince);
      }
      const gone = [...all].filter(([id, { learned }]) => !listed.has(id) && learned <= asked).map(([id]) => id);
      return { gone, isStale };
    },
    hear({ type, data }) {
      const { workspace_id: id = "", entry } = data;
      const known = all.get(id);
      const at = Date.parse(data.updated_at ?? "");
      if (type === "workspace.created" && data.workspace) whole(data.workspace);
      else if (type === "workspace.deleted") remove(id);
      else if (type === "workspace.reordered") {
        place(data.reorder_map);
        return Object.keys(data.reorder_map ?? {}).every((one) => all.has(one) || deleted.has(one));
      } else if (!known) return !id || deleted.has(id);
      else if (type === "workspace.updated") writeAll(known, data.updates ?? {}, at);
      else if (type === "video.status_update") {
        renew(known, "video", at, (document) => withStatus(document, data));
        touch(known, at);
      } else if (type === "ai.suggested" && entry && at > known.base) {
        // Exchanges add up, in whatever order they come: only the list is newer than all.
        known.document = withExchanges(known.document, [entry]);
        known.paths.set("ai_collaboration", Math.max(at, known.paths.get("ai_collaboration") ?? 0));
        touch(known, at);
      }
      return true;
    },
    stored({ type, data: { workspace_id, updates = {}, reorder_map = {} } }, { workspace_id: made = "", order_index = 0, created_at = "", updated_at = "" }, isNewest) {
      const known = all.get(workspace_id ?? "");
      if (type === "workspace.create" && !all.has(made)) whole(empty(made, order_index, created_at));
      else if (type === "workspace.reorder") place(Object.fromEntries(Object.entries(reorder_map).filter(([id]) => isNewest(PLACE, id))));
      else if (type === "workspace.update") {
        const written = Object.fromEntries(Object.entries(updates).filter(([path]) => isNewest(path)));
        if (known) writeAll(known, written, Date.parse(updated_at));
        else early.set(workspace_id ?? "", [...early.get(workspace_id ?? "") ?? [], [written, Date.parse(updated_at)]]);
      }
    },
    begun(id, before, task_id) {
      const known = all.get(id);
      if (!known) return;
      if (known.document.video === before) known.document = withStatus(known.document, { status: "generating" });
      const { document } = known;
      if (document.video.status === "generating") known.document = { ...document, video: { ...document.video, task_id } };
    },
  };
}
