// Chromium, and what is done and read on the studio page again and again.

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
export const SIZES = {
  phone: { width: 390, height: 844 },
  tablet: { width: 834, height: 1112 },
  desktop: { width: 1440, height: 900 },
};
/** How long something may take on two busy cores. */
const LIMIT = 30_000;

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} Context */

/** @returns {Promise<import("playwright-core").Browser>} */
export const launch = () => chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ARGUMENTS });

/**
 * Opens the studio, and keeps what the browser has to complain about: no test may leave a complaint that it did not expect.
 * @param {Context} context @param {string} url @param {{ ready?: boolean }} [options]
 */
export async function openStudio(context, url, { ready = true } = {}) {
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.setDefaultTimeout(LIMIT);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.text().includes("Content Security Policy")) complaints.push(message.text());
  });
  await page.goto(url);
  if (ready) await usable(page);
  return new Studio(page, complaints);
}

/** Waits until the board can be used. @param {Page} page @returns {Promise<number>} since navigation began, ms */
export async function usable(page) {
  const mark = await page.waitForFunction(() => performance.getEntriesByName("usable")[0]?.startTime);
  return /** @type {Promise<number>} */ (mark.jsonValue());
}

/** The page as a person sees it. */
export class Studio {
  /** @param {Page} page @param {string[]} complaints */
  constructor(page, complaints) {
    this.page = page;
    this.complaints = complaints;
  }

  /** @param {string} id */
  part(id) {
    return this.page.getByTestId(id);
  }

  get cards() {
    return this.part("card");
  }

  get prompt() {
    return this.part("prompt");
  }

  /** @param {string} name @returns {import("playwright-core").Locator} */
  choice(name) {
    return this.part(`field-${name}`).getByRole("combobox");
  }

  async add() {
    const before = await this.cards.count();
    await this.part("add").first().click();
    await this.page.waitForFunction((count) => document.querySelectorAll("[data-testid=card]").length > count, before);
  }

  /** Chooses a file for the workspace that is shown. @param {string} name @param {string} mimeType @param {Buffer} buffer */
  async choose(name, mimeType, buffer) {
    await this.part("file").setInputFiles({ name, mimeType, buffer });
  }

  /** Waits until everything is stored. */
  async saved() {
    await this.page.waitForFunction(() => document.querySelector("[data-testid=saving]")?.getAttribute("data-state") === "saved");
  }

  /** @param {string} state */
  async connection(state) {
    await this.page.waitForFunction((wanted) => document.querySelector("[data-testid=connection]")?.getAttribute("data-state") === wanted, state);
  }

  /** Waits until the prompt that is shown is this one. @param {string} text */
  async prompted(text) {
    await this.page.waitForFunction(
      (wanted) => /** @type {HTMLTextAreaElement | null} */ (document.querySelector("[data-testid=prompt]"))?.value === wanted, text,
    );
  }
}

/** What the server has. @param {string} url @returns {Promise<any[]>} */
export async function stored(url) {
  const answer = await (await fetch(`${url}/api/workspaces`)).json();
  return answer.data.workspaces;
}
