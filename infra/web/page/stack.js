// The local stack as a process of its own, with the functions as they are deployed, and a cable to it that can be pulled.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Functions are built by the stack where they aren't yet. */
const READY_LIMIT = 15 * 60_000;

/**
 * @typedef {object} Stack
 * @property {string} url `http://127.0.0.1:PORT`
 * @property {() => Promise<void>} stop and removes its data
 * @property {() => Promise<void>} kill as a power failure would
 * @property {() => Promise<void>} restart on the same port, with the same data
 */

/**
 * Starts a stack with a database of its own.
 * @param {{ args?: string[], env?: { [name: string]: string } }} [options]
 * @returns {Promise<Stack>}
 */
export async function startStack({ args = [], env = {} } = {}) {
  const data = await mkdtemp(join(tmpdir(), "motionboard-"));
  let { child, url } = await start(0, data, args, env);
  const { port } = new URL(url);
  const ended = async (/** @type {NodeJS.Signals} */ signal) => {
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  };
  return {
    url,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) await ended("SIGTERM");
      await rm(data, { recursive: true, force: true });
    },
    kill: () => ended("SIGKILL"),
    async restart() {
      ({ child } = await start(Number(port), data, args, env));
    },
  };
}

/** @param {number} port @param {string} data @param {string[]} args @param {{ [name: string]: string }} env */
async function start(port, data, args, env) {
  const options = ["--release", "--port", String(port), "--data", data, "--video-seconds", "3", "--parameter", "PollSeconds=1", ...args];
  const child = spawn(join(ROOT, "target/debug/local"), options, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_LIMIT);
  process.once("exit", () => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout);
  for await (const line of lines) {
    const url = /^ready (\S+)/.exec(line)?.[1];
    if (!url) continue;
    clearTimeout(timer);
    // What it says later must not fill the pipe.
    child.stdout.resume();
    return { child, url };
  }
  throw new Error("the local stack ended before it was ready");
}

/**
 * A cable to a stack. A page that comes by it can be cut off: what is connected breaks, and nothing new gets through.
 * @param {string} target
 */
export async function layCable(target) {
  const { port, hostname } = new URL(target);
  let isPlugged = true;
  /** @type {Set<import("node:net").Socket>} */
  const ends = new Set();
  const server = createServer((near) => {
    if (!isPlugged) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const end of [near, far]) {
      ends.add(end);
      end.on("error", () => {}).on("close", () => ends.delete(end));
    }
    near.pipe(far).pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  const cut = () => {
    isPlugged = false;
    for (const end of ends) end.destroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    pull: cut,
    plug: () => void (isPlugged = true),
    async remove() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
