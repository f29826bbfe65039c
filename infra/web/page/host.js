// A static host of another origin than the API, as docs/frontend.md describes one.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../../web/", import.meta.url));
const TYPES = /** @type {{ [suffix: string]: string }} */ ({
  ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
});

/**
 * Serves the studio with a strict policy, and a `config.js` of the team's own.
 * @param {string} api @param {string | null} [token] what its sign-in gives
 */
export async function serveStudio(api, token = null) {
  const socket = api.replace("http", "ws");
  const config = `export default { api: "${api}", socket: "${socket}", getToken: () => ${JSON.stringify(token)} };`;
  const store = "http://127.0.0.1:*";
  const policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "worker-src 'self'", `connect-src ${api} ${socket} ${store}`,
    `img-src 'self' blob: ${api} ${store}`, `media-src ${api} ${store}`, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join("; ");
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://host").pathname;
    const file = path === "/" ? "/index.html" : path;
    const body = file === "/config.js" ? config : await readFile(join(WEB, file)).catch(() => null);
    response.writeHead(body === null ? 404 : 200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-security-policy": policy });
    response.end(body ?? "");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
