// Mistakes that somebody might make in the library, each with the test files that must find it. `from` is a text that the library has once.

/** @typedef {{ name: string, from: string, to: string, caughtBy: string[] }} Mutation */

const RANDOM = "random.test.js";

/** @type {Mutation[]} */
export const MUTATIONS = [
  // ------------------------------------------------------------------------------------------------ what the server said
  {
    name: "the receiver rule is skipped",
    from: "if (!(at > Math.max(known.base, known.paths.get(path) ?? 0))) return;", to: "if (!(at > 0)) return;",
    caughtBy: ["pushes.test.js", RANDOM],
  },
  {
    name: "a superseded frame's answer counts",
    from: "filter(([path]) => isNewest(path))", to: "filter(() => true)",
    caughtBy: ["pushes.test.js", RANDOM],
  },
  { name: "deleted ids are forgotten", from: "deleted.add(id);", to: "", caughtBy: ["resync.test.js", RANDOM] },
  { name: "a list drops what was made while it was under way", from: " && learned <= asked", to: "", caughtBy: ["resync.test.js", RANDOM] },
  { name: "a list overwrites newer pushes", from: "if (at <= base) known.paths.delete(path);", to: "if (at > 0) known.paths.delete(path);", caughtBy: ["resync.test.js", RANDOM] },
  { name: "an older list overwrites a newer one", from: "(known && base < known.base)", to: "false", caughtBy: ["pushes.test.js"] },
  { name: "a list undoes a reorder that it doesn't know", from: "keepsPlace ? { ...document, order_index: before.order_index } : document", to: "document", caughtBy: ["reorder.test.js"] },
  { name: "only the first page of a list is read", from: "!pages || cursor", to: "!pages", caughtBy: ["resync.test.js", RANDOM] },
  // ------------------------------------------------------------------------------------------------ edits on their way
  { name: "drafts are not kept", from: "isEmpty ? undefined : draft)", to: "undefined)", caughtBy: ["persistence.test.js", RANDOM] },
  { name: "a repeat is another frame", from: "timestamp, request_id, client_id })", to: "timestamp, request_id: entry.sends > 1 ? platform.id() : request_id, client_id })", caughtBy: ["acks.test.js", RANDOM] },
  { name: "a repeat is dated anew", from: "JSON.stringify({ type, data, timestamp,", to: "JSON.stringify({ type, data, timestamp: Math.round(platform.now()),", caughtBy: ["acks.test.js", RANDOM] },
  { name: "nothing is repeated", from: "entry.sends <= REPEATS", to: "false", caughtBy: ["acks.test.js"] },
  { name: "RATE_LIMITED doesn't pause", from: "isPaused = true;", to: "", caughtBy: ["acks.test.js"] },
  { name: "DB_ERROR is a refusal", from: '["DB_ERROR", "THIRD_PARTY_ERROR",', to: '["THIRD_PARTY_ERROR",', caughtBy: ["acks.test.js"] },
  { name: "the pause after the last keystroke is shorter", from: "const PAUSE = 300;", to: "const PAUSE = 200;", caughtBy: ["edits.test.js"] },
  { name: "frames may be larger than 32 KiB", from: "32 * 1024 - 512", to: "33 * 1024", caughtBy: ["edits.test.js"] },
  { name: "a frame with one bad path fails whole", from: "Object.keys(data.updates ?? {}).length > 1", to: "Object.keys(data.updates ?? {}).length > 1_000", caughtBy: ["refusals.test.js"] },
  { name: "what was typed before a workspace was made is lost", from: "[screen, drafts, outbox]", to: "[screen, outbox]", caughtBy: ["create.test.js", RANDOM] },
  { name: "an older edit is shown above a newer one that is stored", from: "if (outbox?.isNewest(entry, path)) of", to: "of", caughtBy: ["acks.test.js"] },
  // ------------------------------------------------------------------------------------------------ who sends
  { name: "the last timestamp is forgotten at a reload", from: "({ client, last } = kept);", to: "({ client } = kept);", caughtBy: ["timestamps.test.js"] },
  { name: "a duplicated tab keeps the client id", from: "kept?.scope === scope && await own(", to: "kept?.scope === scope || await own(", caughtBy: ["persistence.test.js"] },
  { name: "edits of living tabs are taken up", from: "owned.has(other) || own(other, 0)", to: "owned.has(other) || own(other, 0).then(() => true)", caughtBy: ["persistence.test.js"] },
  { name: "accounts share their edits", from: 'known ?? ""]', to: '""]', caughtBy: ["token.test.js"] },
  // ------------------------------------------------------------------------------------------------ the connection
  { name: "a silent connection lives on", from: "const SILENCE = 60_000;", to: "const SILENCE = 600_000;", caughtBy: ["heartbeat.test.js"] },
  { name: "pings are rarer", from: "const HEARTBEAT = 30_000;", to: "const HEARTBEAT = 40_000;", caughtBy: ["heartbeat.test.js"] },
  { name: "no jitter", from: "platform.random() * Math.min(FIRST_DELAY * 2 ** failures", to: "Math.min(FIRST_DELAY * 2 ** failures", caughtBy: ["backoff.test.js"] },
  { name: "eleven attempts", from: "const ATTEMPTS = 10;", to: "const ATTEMPTS = 11;", caughtBy: ["backoff.test.js"] },
  { name: "attempts begin anew at each handshake", from: "lastHeard = platform.now();\n    become", to: "attempt = 0;\n    become", caughtBy: ["backoff.test.js"] },
  { name: "a handshake may take for ever", from: "platform.setTimeout(fail, HANDSHAKE)", to: "platform.setTimeout(fail, 1e9)", caughtBy: ["backoff.test.js"] },
  { name: "connections are changed with a gap", from: "platform.setTimeout(() => discard(former), DRAIN);", to: "discard(former);", caughtBy: ["heartbeat.test.js"] },
  { name: "no list after a reconnect", from: "drafts.sealAll();\n      void loader.load();", to: "drafts.sealAll();", caughtBy: ["resync.test.js", RANDOM] },
  { name: "a token is not renewed after a 401", from: "return attempt(true);", to: "return attempt(false);", caughtBy: ["token.test.js"] },
  // ------------------------------------------------------------------------------------------------ what is shown
  { name: "a held field shows what others write", from: "view(key, document, overlay, values,", to: "view(key, document, overlay, [],", caughtBy: ["pushes.test.js"] },
  { name: "`lost` is not told", from: 'if (unsaved) emit("lost", unsaved);', to: "", caughtBy: ["delete.test.js"] },
  { name: "a list makes all workspaces other objects", from: "workspaces: isSame ? before :", to: "workspaces:", caughtBy: ["state.test.js"] },
  { name: "signed addresses change with each list", from: "if (known && known.until - EARLY > platform.now())", to: "if (known && known.until < 0)", caughtBy: ["state.test.js"] },
  { name: "an undo that comes too late succeeds", from: "entry.sends === 0 && ", to: "", caughtBy: ["delete.test.js"] },
  { name: "a store that fails is not told", from: "if (!isBroken) onError();", to: "", caughtBy: ["store.test.js"] },
  { name: "no optimistic lock", from: "const lock = asks ?", to: "const lock = !asks ?", caughtBy: ["conflicts.test.js"] },
  // ------------------------------------------------------------------------------------------------ requests
  { name: "412 is a failure", from: " && answer.status !== 412", to: "", caughtBy: ["uploads.test.js"] },
  { name: "10 MiB are too large", from: "file.size > MAX_IMAGE_BYTES", to: "file.size >= MAX_IMAGE_BYTES", caughtBy: ["uploads.test.js"] },
  { name: "the second upload doesn't abort the first", from: "uploads.get(key)?.abort();", to: "", caughtBy: ["uploads.test.js"] },
  { name: "repeats have keys of their own", from: '{ "idempotency-key": platform.id() }', to: '{ get "idempotency-key"() { return platform.id(); } }', caughtBy: ["requests.test.js"] },
  { name: "a vendor's failure is repeated", from: '["NETWORK", "TIMEOUT",', to: '["THIRD_PARTY_ERROR", "NETWORK", "TIMEOUT",', caughtBy: ["requests.test.js"] },
];
