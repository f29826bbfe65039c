// The server as the contract describes it, in memory: what a frame does, what it is answered, and what the others are told.

/**
 * @typedef {import("../../../web/motionboard/types.js").Document} Document
 * @typedef {import("../../../web/motionboard/types.js").Frame} Frame
 * @typedef {{ type: string, data: { [name: string]: unknown } }} Said
 * @typedef {{ answer: Said, pushes: Said[] }} Outcome
 * @typedef {{ document: Document, clocks: Map<string, number> }} Stored
 */

const TOO_FAR_AHEAD = 5 * 60_000;
const LARGEST_PLACE = 1_000_000;

/** @param {string} code @param {object} context @returns {Outcome} */
const error = (code, context) => ({ answer: { type: "error", data: { code, message: "错误", context } }, pushes: [] });

export class Model {
  /** @type {Map<string, Stored>} */
  stored = new Map();
  /** @type {Set<string>} */
  deleted = new Set();
  /** Answers to what was carried out, by client, type and request. @type {Map<string, Said>} */
  #answers = new Map();
  #made = 0;
  #now;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
  }

  /** The board, in its order. @returns {Document[]} */
  documents() {
    return [...this.stored.values()].map(({ document }) => document).sort((a, b) =>
      a.order_index - b.order_index || (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : a._id < b._id ? -1 : 1));
  }

  /** A page of the list. @param {string | null} cursor @param {number} size */
  list(cursor, size) {
    const after = cursor ? JSON.parse(cursor) : null;
    const isAfter = (/** @type {Document} */ { order_index, created_at, _id }) =>
      !after || order_index > after[0] || (order_index === after[0] && (created_at > after[1] || (created_at === after[1] && _id > after[2])));
    const rest = this.documents().filter(isAfter);
    const workspaces = rest.slice(0, size);
    const last = workspaces.at(-1);
    const next_cursor = rest.length > size && last ? JSON.stringify([last.order_index, last.created_at, last._id]) : null;
    return structuredClone({ workspaces, next_cursor });
  }

  /** @param {Frame} frame @returns {Outcome} */
  handle(frame) {
    if (frame.timestamp > this.#now() + TOO_FAR_AHEAD) return error("INVALID_DATA", { field: "timestamp" });
    const repeat = `${frame.client_id} ${frame.type} ${frame.request_id}`;
    const known = this.#answers.get(repeat);
    if (known) return { answer: structuredClone(known), pushes: [] };
    const outcome = this.#carryOut(frame);
    if (outcome.answer.type !== "error") this.#answers.set(repeat, structuredClone(outcome.answer));
    return structuredClone(outcome);
  }

  /** @param {Frame} frame @returns {Outcome} */
  #carryOut(frame) {
    const { type, data, timestamp, client_id } = frame;
    if (type === "workspace.create") return this.#create(data.order_index);
    if (type === "workspace.reorder") return this.#reorder(data.reorder_map ?? {}, client_id, timestamp);
    const id = data.workspace_id ?? "";
    const stored = this.stored.get(id);
    if (!stored) return error("WORKSPACE_NOT_FOUND", { workspace_id: id });
    if (type === "workspace.update") return this.#update(stored, frame);
    if (type !== "workspace.delete") return error("INVALID_DATA", { field: "type" });
    this.stored.delete(id);
    this.deleted.add(id);
    const said = { type: "workspace.deleted", data: { workspace_id: id } };
    return { answer: said, pushes: [said] };
  }

  /** @param {number} [place] @returns {Outcome} */
  #create(place) {
    const largest = Math.max(-1, ...[...this.stored.values()].map(({ document }) => document.order_index));
    const _id = (this.#made += 1).toString(16).padStart(24, "a");
    const at = new Date(this.#now()).toISOString();
    /** @type {Document} */
    const document = {
      _id, order_index: place ?? Math.min(largest + 1, LARGEST_PLACE), image_path: null, image_url: null,
      form_data: { camera_movement: "", shot_type: "", lighting: "", motion_prompt: "", checkboxes: {} },
      video: { status: "pending", task_id: null, url: null, error: null, history: [] },
      ai_collaboration: [], created_at: at, updated_at: at,
    };
    this.stored.set(_id, { document, clocks: new Map() });
    const data = { workspace_id: _id, order_index: document.order_index, created_at: at };
    return { answer: { type: "workspace.created", data }, pushes: [{ type: "workspace.created", data: { ...data, workspace: document } }] };
  }

  /** @param {Stored} stored @param {Frame} frame @returns {Outcome} */
  #update(stored, { data, timestamp, client_id }) {
    const { _id, updated_at } = stored.document;
    if (data.client_timestamp !== undefined && data.client_timestamp < Date.parse(updated_at)) {
      return error("CONFLICT", { workspace_id: _id, updated_at });
    }
    const applied = Object.entries(data.updates ?? {}).filter(([path]) => this.#isNewest(stored, `${client_id} ${path}`, timestamp));
    for (const [path, value] of applied) stored.document = put(stored.document, path.split("."), value);
    if (applied.length) this.#touch(stored);
    const now = stored.document.updated_at;
    return {
      answer: { type: "workspace.sync_confirm", data: { workspace_id: _id, updated_at: now } },
      pushes: applied.length ? [{ type: "workspace.updated", data: { workspace_id: _id, updates: Object.fromEntries(applied), updated_at: now } }] : [],
    };
  }

  /** @param {{ [id: string]: number }} places @param {string} client @param {number} timestamp @returns {Outcome} */
  #reorder(places, client, timestamp) {
    const unknown = Object.keys(places).find((id) => !this.stored.has(id));
    if (unknown !== undefined) return error("WORKSPACE_NOT_FOUND", { workspace_id: unknown });
    const applied = Object.entries(places).filter(([id]) => this.#isNewest(/** @type {Stored} */ (this.stored.get(id)), `${client} @place`, timestamp));
    for (const [id, order_index] of applied) {
      const stored = /** @type {Stored} */ (this.stored.get(id));
      stored.document = { ...stored.document, order_index };
      this.#touch(stored);
    }
    return {
      answer: { type: "workspace.reorder_confirm", data: { success: true } },
      pushes: applied.length ? [{ type: "workspace.reordered", data: { reorder_map: Object.fromEntries(applied) } }] : [],
    };
  }

  /** Of one client's frames the newest wins, however they arrive. @param {Stored} stored @param {string} key @param {number} timestamp */
  #isNewest(stored, key, timestamp) {
    if (timestamp < (stored.clocks.get(key) ?? 0)) return false;
    stored.clocks.set(key, timestamp);
    return true;
  }

  /** `updated_at` strictly increases. @param {Stored} stored */
  #touch(stored) {
    const at = Math.max(Math.floor(this.#now()), Date.parse(stored.document.updated_at) + 1);
    stored.document = { ...stored.document, updated_at: new Date(at).toISOString() };
  }
}

/** @template T @param {T} branch @param {string[]} names @param {unknown} value @returns {T} */
function put(branch, [name = "", ...rest], value) {
  const members = /** @type {any} */ (branch) ?? {};
  return { ...members, [name]: rest.length ? put(members[name], rest, value) : value };
}
