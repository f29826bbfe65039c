/**
 * Where the studio finds its backend. The one file that a team edits; everything else is served as it is.
 *
 * - `api`, `socket`: the stack's outputs `RestUrl` and `WebSocketUrl`. Empty: the page's own origin.
 * - `conflicts`: what happens when two devices change the same field at once. "overwrite": the last one wins. "ask": the person decides.
 * - `getToken`: where the server asks for a token. It is called before each connection and request, so it should remember the token;
 *   with `renew` the last one was refused or is about to end. Left out, the page asks for a token itself and keeps it until the tab
 *   is closed. With a sign-in of your own:
 *
 *       getToken: async ({ renew }) => (await session.accessToken({ fresh: renew })) ?? null,
 *
 * - `account`: whose unsent edits are kept in this browser; by default the token's `sub`.
 *
 * Addresses other than https:, wss: and this machine's must be added to the Content-Security-Policy in index.html.
 *
 * @type {import("./motionboard.js").Options}
 */
export default {
  api: "",
  socket: "",
  conflicts: "overwrite",
  getToken: undefined,
};
