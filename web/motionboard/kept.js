/** @import { MakeIdentity, MakeKeeper } from "./types.js" */
import { parse } from "./wire.js";

/** The server refuses what is 5 minutes ahead (contract §6). */
const TOO_FAR_AHEAD = 4 * 60_000;
const TOLERANCE = 60_000;
/** A reloaded page waits for its former self. */
const HANDOVER = 1_000;

/** The lock that a tab holds for as long as it uses a client id. @param {string} client */
const lockOf = (client) => `motionboard ${client}`;

/** @type {MakeIdentity} */
export function makeIdentity(platform, scope) {
  let client = "";
  let last = 0;
  let offset = 0;
  let leaving = false;
  /** @type {Set<string>} */
  const owned = new Set();
  const own = async (/** @type {string} */ id, /** @type {number} */ wait) => {
    const isFree = await platform.lock(lockOf(id), wait);
    if (isFree) owned.add(id);
    return isFree;
  };
  const keep = () => platform.tab.write(JSON.stringify({ scope, client, last, leaving }));
  const renew = () => {
    client = platform.id();
    last = 0;
    keep();
    return own(client, 0);
  };
  return {
    get client() {
      return client;
    },
    async claim() {
      const kept = parse(platform.tab.read() ?? "");
      if (kept?.scope === scope && await own(kept.client, kept.leaving ? HANDOVER : 0)) {
        ({ client, last } = kept);
        keep();
      } else await renew();
    },
    stamp() {
      last = Math.max(Math.round(platform.now()) + offset, last + 1);
      keep();
      return last;
    },
    heard(timestamp) {
      if (!Number.isFinite(timestamp)) return;
      const ahead = Math.round(platform.now()) - timestamp;
      offset = ahead > TOLERANCE ? -ahead : 0;
      if (last > timestamp + TOO_FAR_AHEAD) void renew();
    },
    isAhead: (timestamp) => timestamp > Math.round(platform.now()) + offset + TOO_FAR_AHEAD,
    leave(isLeaving) {
      leaving = isLeaving;
      keep();
    },
    adopt: async (other) => owned.has(other) || own(other, 0),
    release() {
      for (const id of owned) platform.unlock(lockOf(id));
      owned.clear();
    },
  };
}

/** @type {MakeKeeper} */
export function makeKeeper(store, scope, onError) {
  const prefix = `${scope}|`;
  /** @type {Map<string, unknown>} */
  const changes = new Map();
  /** @type {Promise<void> | null} */
  let writing = null;
  let isBroken = false;
  /** Goes with the next batch. @param {Array<[string, unknown]>} batch */
  const failed = (batch) => {
    for (const [key, value] of batch) if (!changes.has(key)) changes.set(key, value);
    if (!isBroken) onError();
    isBroken = true;
  };
  const write = async () => {
    // The changes of one moment are one transaction: an edit leaves a draft as it becomes a frame.
    await null;
    try {
      while (changes.size) {
        const batch = [...changes];
        changes.clear();
        await store.write(batch).then(() => void (isBroken = false), () => failed(batch));
        if (isBroken) break;
      }
    } finally {
      writing = null;
    }
  };
  return {
    async all() {
      const all = await store.all();
      return all.filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]);
    },
    put(key, value) {
      changes.set(prefix + key, value);
      writing ??= write();
    },
    settled: async () => writing ?? undefined,
  };
}
