/** @import { Entry, Frame, MakeOutbox } from "./types.js" */
import { MotionboardError } from "./errors.js";

/** How long an answer may take, and how often a frame is sent again (contract §3). */
const ANSWER_LIMIT = 5_000;
const REPEATS = 3;
/** How often a frame gets another timestamp, should the server not like the first. */
const RESTAMPS = 2;
/** What the server may answer though it may still carry the frame out, or would later: the same frame is sent again. */
const PASSING = ["DB_ERROR", "THIRD_PARTY_ERROR", "UNAUTHORIZED", "RATE_LIMITED"];

/** A workspace that the server has not made yet is named after the frame that makes it. @param {string} requestId */
export const temporaryId = (requestId) => `new-${requestId}`;
/** @param {string} id */
export const isTemporary = (id) => id.startsWith("new-");

/** The path of a workspace's place. */
export const PLACE = "order_index";

/** @param {Frame} frame @param {string} path @param {string} [workspace] */
const pathKey = ({ client_id, data }, path, workspace = data.workspace_id) => `${client_id} ${workspace} ${path}`;

/** @param {Entry} a @param {Entry} b */
export const byTime = (a, b) => a.frame.timestamp - b.frame.timestamp;

/** @type {MakeOutbox} */
export function makeOutbox(platform, identity, keeper, send, on) {
  /** @type {Map<string, Entry>} */
  const all = new Map();
  /** The newest timestamp that a path was sent under. @type {Map<string, number>} */
  const newest = new Map();
  // Times are waited for, not compared: the clock may be put back meanwhile.
  let isPaused = false;

  const keep = (/** @type {Entry} */ { frame }) => {
    keeper.put(`frame|${frame.request_id}`, frame);
    const { updates = {}, reorder_map = {} } = frame.data;
    const written = Object.keys(updates).map((path) => pathKey(frame, path));
    const placed = Object.keys(reorder_map).map((id) => pathKey(frame, PLACE, id));
    for (const key of [...written, ...placed]) newest.set(key, Math.max(frame.timestamp, newest.get(key) ?? 0));
  };

  const enter = (/** @type {Frame} */ frame, isOld = false, delay = 0) => {
    /** @type {Entry} */
    const entry = { frame, isOld, state: "waiting", sends: 0, restamps: 0, error: null, isHeld: delay > 0, timer: null, waiters: [] };
    all.set(frame.request_id, entry);
    keep(entry);
    if (delay) entry.timer = platform.setTimeout(() => release(entry), delay);
    else transmit(entry);
    return entry;
  };

  const unsent = (/** @type {Entry} */ entry) => {
    platform.clearTimeout(entry.timer);
    entry.sends -= 1;
    entry.state = "waiting";
  };

  const release = (/** @type {Entry} */ entry) => {
    entry.isHeld = false;
    transmit(entry);
    on.change();
  };

  const transmit = (/** @type {Entry} */ entry) => {
    if (entry.isHeld) return;
    platform.clearTimeout(entry.timer);
    const { type, data, timestamp, request_id, client_id } = entry.frame;
    if (isPaused || [data.workspace_id ?? "", ...Object.keys(data.reorder_map ?? {})].some(isTemporary)) return;
    entry.sends += 1;
    entry.state = "sent";
    entry.timer = platform.setTimeout(() => {
      if (entry.sends <= REPEATS) transmit(entry);
      else fail(entry, "failed", entry.error ?? new MotionboardError("TIMEOUT", "the server does not answer"));
    }, ANSWER_LIMIT);
    if (!send(JSON.stringify({ type, data, timestamp, request_id, client_id }))) unsent(entry);
  };

  const fail = (/** @type {Entry} */ entry, /** @type {"failed" | "refused"} */ state, /** @type {MotionboardError} */ error) => {
    platform.clearTimeout(entry.timer);
    entry.state = state;
    entry.error = error;
    for (const settle of entry.waiters.splice(0)) settle(error);
    on.failed(entry);
  };

  const resume = () => {
    isPaused = false;
    for (const entry of self.entries()) if (entry.state === "waiting") transmit(entry);
  };

  /** The edits of a frame that nothing newer of ours was sent for: only those may get a new timestamp. @param {Frame} frame */
  const stillWanted = (frame) => Object.entries(frame.data.updates ?? {}).filter(([path]) => self.isNewest(frame, path));

  const restamp = (/** @type {Entry} */ entry, /** @type {Frame["data"]} */ data) => {
    entry.restamps += 1;
    self.change(entry, { ...entry.frame, data, client_id: identity.client, timestamp: identity.stamp() });
    self.again(entry);
  };

  /** @type {import("./types.js").Outbox} */
  const self = {
    entries: () => [...all.values()].sort(byTime),
    find: (requestId) => all.get(requestId),
    add: (type, data, more, delay) =>
      enter({ type, data, timestamp: identity.stamp(), request_id: platform.id(), client_id: identity.client, ...more }, false, delay),
    restore: (frame) => void enter(frame, true),
    isNewest: (frame, path, workspace) => frame.timestamp >= (newest.get(pathKey(frame, path, workspace)) ?? 0),
    transmitAll() {
      for (const entry of self.entries()) if (entry.state !== "refused") self.again(entry);
    },
    again(entry) {
      entry.sends = 0;
      entry.state = "waiting";
      transmit(entry);
    },
    disconnected() {
      for (const entry of all.values()) {
        if (entry.state !== "sent") continue;
        platform.clearTimeout(entry.timer);
        entry.state = "waiting";
      }
    },
    hurry() {
      for (const entry of self.entries()) {
        if (!entry.isHeld) continue;
        platform.clearTimeout(entry.timer);
        release(entry);
      }
    },
    bears(entry, error) {
      if (!PASSING.includes(error.code)) return false;
      entry.error = error;
      if (error.code === "RATE_LIMITED") {
        unsent(entry);
        if (!isPaused) platform.setTimeout(resume, Math.max(1, error.retryAfter) * 1_000);
        isPaused = true;
      }
      return true;
    },
    refused(entry, error) {
      const { frame } = entry;
      const { type, data, bases = {} } = frame;
      const { code, details } = error;
      if (code === "WORKSPACE_NOT_FOUND" && type === "workspace.reorder") {
        const { [String(details["workspace_id"])]: unknown, ...places } = data.reorder_map ?? {};
        if (unknown !== undefined && Object.keys(places).length) restamp(entry, { reorder_map: places });
        else self.drop(entry);
        return "outdated";
      }
      if (code === "WORKSPACE_NOT_FOUND") return type === "workspace.delete" ? "forgotten" : "gone";
      const updates = stillWanted(frame);
      if (code === "CONFLICT") {
        // To cancel what isn't being made: it ended before the frame came.
        self.drop(entry);
        return updates.length ? "conflict" : "outdated";
      }
      if (details["field"] === "timestamp" && entry.restamps < RESTAMPS) {
        if (type !== "workspace.update") restamp(entry, data);
        else if (updates.length) restamp(entry, { ...data, updates: Object.fromEntries(updates) });
        else self.drop(entry);
      } else if (Object.keys(data.updates ?? {}).length > 1) {
        // A frame is applied whole or not at all: each path goes alone, so that only the bad one fails.
        self.drop(entry);
        for (const [path, value] of updates) {
          self.add("workspace.update", { ...data, updates: { [path]: value } }, { bases: { [path]: bases[path] ?? null } });
        }
      } else fail(entry, "refused", error);
      return "kept";
    },
    change(entry, frame) {
      entry.frame = frame;
      keep(entry);
    },
    drop(entry, error) {
      platform.clearTimeout(entry.timer);
      all.delete(entry.frame.request_id);
      keeper.put(`frame|${entry.frame.request_id}`, undefined);
      for (const settle of entry.waiters.splice(0)) settle(error);
    },
    settled: (entry) => new Promise((resolve, reject) => entry.waiters.push((error) => (error ? reject(error) : resolve()))),
    rename(from, to) {
      for (const entry of all.values()) {
        const { data } = entry.frame;
        const { [from]: place, ...places } = data.reorder_map ?? {};
        if (data.workspace_id === from) self.change(entry, { ...entry.frame, data: { ...data, workspace_id: to } });
        else if (place !== undefined) self.change(entry, { ...entry.frame, data: { reorder_map: { ...places, [to]: place } } });
        else continue;
        transmit(entry);
      }
    },
    stop() {
      for (const entry of all.values()) platform.clearTimeout(entry.timer);
    },
  };
  return self;
}
