/** One WebSocket: the page's end, and the server's. */
export class Wire {
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: { data: unknown }) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onclose = null;
  /** @type {"connecting" | "open" | "closed"} */
  state = "connecting";
  /** @type {string[]} what the page sent */
  texts = [];

  /** @param {import("./platform.js").Page} page @param {string} url @param {string[]} protocols */
  constructor(page, url, protocols) {
    this.page = page;
    this.url = url;
    this.protocols = protocols;
    page.wires.add(this);
  }

  // ------------------------------------------------------------------------------------------------ the page's end

  /** @param {string} text */
  send(text) {
    if (this.state === "connecting") throw new Error("InvalidStateError: still connecting");
    if (this.state === "closed" || !this.page.isAlive) return;
    this.texts.push(text);
    this.page.browser.server.receive(this, text);
  }

  close() {
    if (this.state === "closed") return;
    this.#end();
    this.page.browser.server.gone(this);
  }

  // ------------------------------------------------------------------------------------------------ the server's end

  accept() {
    if (this.state !== "connecting" || !this.page.isAlive) return;
    this.state = "open";
    this.onopen?.();
  }

  /** Says something. @param {unknown} message text, or what becomes JSON */
  say(message) {
    if (this.state !== "open" || !this.page.isAlive) return;
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  /** Refuses the handshake, or ends the connection. */
  cut() {
    if (this.state === "closed") return;
    this.#end();
    if (this.page.isAlive) this.onclose?.();
  }

  #end() {
    this.state = "closed";
    this.page.wires.delete(this);
  }
}
