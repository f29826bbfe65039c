/** @import { Entry, Frame, MakeOutbox } from "./types.js" */
import { MotionboardError } from "./wire.js";

/** Contract §3. */
const ANSWER_LIMIT = 5_000;
const REPEATS = 3;
const RESTAMPS = 2;
/** The frame may be carried out all the same, or later: it is sent again. */
const PASSING = ["DB_ERROR", "THIRD_PARTY_ERROR", "UNAUTHORIZED", "RATE_LIMITED"];

/** @param {string} requestId */
export const temporaryId = (requestId) => `new-${requestId}`;
/** @param {string} id */
export const isTemporary = (id) => id.startsWith("new-");

export const PLACE = "order_index";

/** @param {Entry} entry */
export const hasFailed = ({ state }) => state === "failed" || state === "refused";

/** @param {Frame} frame */
const partsOf = ({ data }) => Object.keys(data.updates ?? data.reorder_map ?? {});

/** @param {Frame} a @param {Frame} b */
const isSameMatter = (a, b) => (a.data.reorder_map ? !!b.data.reorder_map : a.data.workspace_id === b.data.workspace_id);

/** @type {MakeOutbox} */
export function makeOutbox(platform, identity, keeper, send, on) {
  /** @type {Map<string, Entry>} */
  const all = new Map();
  /** By workspace and path. @type {Map<string, number>} */
  const newest = new Map();
  let order = 0;
  // Times are waited for, not compared: the clock may be put back meanwhile.
  let isPaused = false;
  let isStopped = false;

  const keep = (/** @type {Entry} */ { frame }) => {
    // An old cancel would end a later video.
    if (frame.type !== "video.cancel") keeper.put(`frame|${frame.request_id}`, frame);
    const { order, data: { workspace_id, updates = {}, reorder_map = {} } } = frame;
    const written = Object.keys(updates).map((path) => `${workspace_id} ${path}`);
    const placed = Object.keys(reorder_map).map((id) => `${id} ${PLACE}`);
    for (const key of [...written, ...placed]) newest.set(key, Math.max(order, newest.get(key) ?? 0));
  };

  /** Between clients the last to arrive wins: what a tab that is gone did before must arrive before. @param {Entry} entry */
  const isBehind = ({ frame }) => self.entries().some((other) => other.frame.client_id !== frame.client_id
    && other.frame.order < frame.order && other.state !== "refused" && isSameMatter(other.frame, frame));

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
    if (entry.isHeld || isStopped) return;
    platform.clearTimeout(entry.timer);
    const { type, data, timestamp, request_id, client_id } = entry.frame;
    if (isPaused || [data.workspace_id ?? "", ...Object.keys(data.reorder_map ?? {})].some(isTemporary) || isBehind(entry)) return;
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
    if (entry.frame.type === "video.cancel") self.drop(entry);
    transmitWaiting();
    on.failed(entry);
  };

  const transmitWaiting = () => {
    for (const entry of self.entries()) if (entry.state === "waiting") transmit(entry);
  };

  const resume = () => {
    isPaused = false;
    transmitWaiting();
  };

  /** What was done before with paths that are stored is void: it must not come back, newly dated, after a crash. */
  const outdate = (/** @type {Frame} */ later) => {
    const done = partsOf(later);
    for (const entry of self.entries()) {
      const { frame } = entry;
      const voided = frame.order < later.order && frame.type === later.type && isSameMatter(frame, later) ? partsOf(frame).filter((part) => done.includes(part)) : [];
      const outdated = [...frame.outdated ?? [], ...voided];
      if (voided.length && partsOf(frame).every((part) => outdated.includes(part))) self.drop(entry);
      else if (voided.length) self.change(entry, { ...frame, outdated });
    }
  };

  /** Only what nothing was done with later may be dated anew. @param {Entry} entry */
  const stillWanted = (entry) => ({
    updates: Object.entries(entry.frame.data.updates ?? {}).filter(([path]) => self.isNewest(entry, path)),
    places: Object.entries(entry.frame.data.reorder_map ?? {}).filter(([id]) => self.isNewest(entry, PLACE, id)),
  });

  /** @param {Entry} entry @param {Frame["data"][]} parts */
  const divide = (entry, parts) => {
    for (const data of parts) enter({ ...entry.frame, request_id: platform.id(), data });
    self.drop(entry);
  };

  /** @param {Entry} entry */
  const restamp = (entry) => {
    const { frame } = entry;
    const { updates, places } = stillWanted(entry);
    const isEmpty = frame.type === "workspace.update" ? !updates.length : frame.type === "workspace.reorder" && !places.length;
    if (isEmpty) return self.drop(entry);
    const data = { ...frame.data, ...(updates.length && { updates: Object.fromEntries(updates) }), ...(places.length && { reorder_map: Object.fromEntries(places) }) };
    entry.restamps += 1;
    self.change(entry, { ...frame, data, client_id: identity.client, timestamp: identity.stamp() });
    self.again(entry);
    transmitWaiting();
  };

  /** @type {import("./types.js").Outbox} */
  const self = {
    entries: () => [...all.values()],
    find: (requestId) => all.get(requestId),
    add: (type, data, more, delay) =>
      enter({ type, data, timestamp: identity.stamp(), order: ++order, request_id: platform.id(), client_id: identity.client, ...more }, false, delay),
    restore(frames) {
      const isOrphan = (/** @type {string} */ id = "") => isTemporary(id) && !frames.some(({ request_id }) => temporaryId(request_id) === id);
      for (const frame of [...frames].sort((a, b) => a.order - b.order)) {
        order = Math.max(order, frame.order);
        const { workspace_id, reorder_map } = frame.data;
        // Who made the workspace that it is about has gone on without us.
        if (isOrphan(workspace_id) || Object.keys(reorder_map ?? {}).some(isOrphan)) keeper.put(`frame|${frame.request_id}`, undefined);
        else enter(frame, true);
      }
    },
    isNewest: ({ frame }, path, workspace = frame.data.workspace_id) =>
      !frame.outdated?.includes((path === PLACE && workspace) || path) && frame.order >= (newest.get(`${workspace} ${path}`) ?? 0),
    transmitAll() {
      for (const entry of self.entries()) if (entry.state !== "refused") self.again(entry);
    },
    retryFailed() {
      for (const entry of self.entries()) if (entry.state === "failed") self.again(entry);
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
        if (entry.frame.type === "video.cancel") self.drop(entry, new MotionboardError("NETWORK", "the connection was lost"));
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
      const { type, data } = frame;
      const { code, details } = error;
      if (code === "WORKSPACE_NOT_FOUND" && type === "workspace.reorder") {
        // Of a text that was sent again since, it may come once more.
        const { [String(details["workspace_id"])]: unknown, ...reorder_map } = data.reorder_map ?? {};
        if (unknown !== undefined) divide(entry, Object.keys(reorder_map).length ? [{ reorder_map }] : []);
        return "outdated";
      }
      if (code === "WORKSPACE_NOT_FOUND") return type === "workspace.delete" ? "forgotten" : "gone";
      const { updates } = stillWanted(entry);
      if (code === "CONFLICT") {
        // To cancel what isn't being made: it ended before the frame came.
        self.drop(entry);
        return updates.length ? "conflict" : "outdated";
      }
      if (details["field"] === "timestamp" && !identity.isAhead(frame.timestamp)) return "kept";
      if (details["field"] === "timestamp" && entry.restamps < RESTAMPS) restamp(entry);
      else if (Object.keys(data.updates ?? {}).length > 1) {
        // A frame is applied whole or not at all: each path goes alone, so that only the bad one fails.
        divide(entry, updates.map(([path, value]) => ({ ...data, updates: { [path]: value } })));
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
      transmitWaiting();
    },
    done(entry) {
      self.drop(entry);
      outdate(entry.frame);
    },
    settled: (entry) => new Promise((resolve, reject) => {
      entry.waiters.push((error) => (error ? reject(error) : resolve()));
      if (entry.error && hasFailed(entry)) reject(entry.error);
    }),
    rename(from, to) {
      for (const entry of all.values()) {
        const { data } = entry.frame;
        const { [from]: place, ...places } = data.reorder_map ?? {};
        if (data.workspace_id === from) self.change(entry, { ...entry.frame, data: { ...data, workspace_id: to } });
        else if (place !== undefined) {
          const outdated = entry.frame.outdated?.map((id) => (id === from ? to : id));
          self.change(entry, { ...entry.frame, ...(outdated && { outdated }), data: { reorder_map: { ...places, [to]: place } } });
        } else continue;
        transmit(entry);
      }
    },
    stop() {
      isStopped = true;
      for (const { timer, waiters } of all.values()) {
        platform.clearTimeout(timer);
        for (const settle of waiters.splice(0)) settle(new MotionboardError("ABORTED", "the board was closed"));
      }
    },
  };
  return self;
}
