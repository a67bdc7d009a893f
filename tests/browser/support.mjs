// What all tests of the page share: a server of their own, Chromium, and pages that note what goes wrong in them.
//
// No test waits for a time. It waits for what a person would see, for as long as a loaded machine may need.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const BINARY = process.env.OPENKITCHEN || new URL("../../target/debug/openkitchen", import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";

const PATIENCE = 30_000; // milliseconds until something that must be seen is missing

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Runs at the end of the file, last things first.
const endings = [];
after(async () => {
  for (const end of endings.reverse()) await end();
});

// Starts a program that prints `pattern`, and resolves with what the pattern found and a way to end the program.
export async function start(program, args, pattern) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const kill = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  endings.push(kill);
  let printed = "";
  const found = await new Promise((resolve, reject) => {
    child.once("error", reject);
    gone.then(() => reject(new Error(`${program} has ended and not printed ${pattern}: ${printed}`)));
    child.stdout.setEncoding("utf8").on("data", (text) => {
      printed += text;
      const match = printed.match(pattern);
      if (match) resolve(match);
    });
  });
  // A file of which no test is run ends, too, and leaves nothing.
  child.unref();
  child.stdout.unref();
  process.once("exit", () => child.kill("SIGKILL"));
  return { found, kill };
}

// A folder that is removed at the end.
export function folder() {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), "openkitchen-browser-"));
  endings.push(() => fs.rmSync(made, { recursive: true }));
  return made;
}

// The lesson site, with an empty likes file: { url, host, kill }.
export async function startSite({ flags = [], listen = "127.0.0.1:0", data = path.join(folder(), "likes") } = {}) {
  const args = ["--listen", listen, "--data", data, ...flags];
  const { found, kill } = await start(BINARY, args, /# listening on (http:\/\/(\S+))/);
  return { url: found[1], host: found[2], data, kill };
}

// Sends exact bytes on a connection of their own, and resolves with what came back: both with a character for each byte.
export function send(host, bytes) {
  const [address, port] = host.split(":");
  return new Promise((resolve, reject) => {
    let got = "";
    const socket = net.connect(Number(port), address, () => socket.write(Buffer.from(bytes, "latin1")));
    socket.setEncoding("latin1").on("data", (text) => { got += text; });
    socket.once("error", reject).once("close", () => resolve(got));
  });
}

// A request without content, on a connection that is closed afterwards.
export const get = (host, target, fields = "") => send(host, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`);

// Reads again and again, until what is read is as expected: a value, a pattern, or a function that says so.
export async function eventually(read, expected, what = String(read)) {
  const passes = typeof expected === "function" ? expected : (value) => (expected instanceof RegExp ? expected.test(value) : value === expected);
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await read();
    if (passes(value)) return value;
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(value)}, and not ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

let browser = null;

export async function openBrowser() {
  if (browser) return browser;
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
  browser = await chromium.launch({ executablePath: CHROMIUM, args: quiet });
  endings.push(() => browser.close());
  return browser;
}

// Opens a page, lets `act` use it, and then asserts that nothing was wrong: no message on the console, no uncaught
// error, no request to another host, nothing wider than the window. `expected` is a pattern of messages that are right,
// such as the browser's own about a 404.
export async function withPage(url, { expected = /^$/, waitFor = ".exchange .message", size = [1280, 800], ...options }, act) {
  const [width, height] = size;
  const context = await (await openBrowser()).newContext({ viewport: { width, height }, acceptDownloads: true, ...options });
  try {
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.problems = [];
    const note = (text) => { if (!expected.test(text)) page.problems.push(text); };
    page.on("console", (message) => { if (["error", "warning"].includes(message.type())) note(message.text()); });
    page.on("pageerror", (error) => note(String(error)));
    page.on("dialog", (dialog) => { note(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin) && !/^(blob|data):/.test(request.url())) note(`a request to ${request.url()}`); });
    await page.addInitScript(noteShifts);
    await page.goto(url);
    if (waitFor) await page.waitForSelector(waitFor);
    await act(page, context);
    assert.deepEqual(page.problems, []);
    assert.equal(await sideways(page), 0, "pixels by which the page is wider than its window");
  } finally {
    await context.close();
  }
}

// Notes each move of something that had its place already, but for those that an input has caused.
function noteShifts() {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (!hadRecentInput) window.shifts.push({ value, what: sources.map(({ node }) => node?.className || node?.nodeName) });
    }
  }).observe({ type: "layout-shift", buffered: true });
}

export const shifts = (page) => page.evaluate(() => window.shifts);

const sideways = (page) => page.evaluate(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const views = document.querySelector(".views:not([hidden])");
  return Math.max(scrollWidth - clientWidth, views ? views.scrollWidth - views.clientWidth : 0);
});

// Asserts that axe finds nothing on the page as it is now. Only the colours differ in the dark.
export async function isAccessible(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  for (const [colorScheme, runOnly] of [["dark", ["color-contrast"]], ["light", null]]) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async (runOnly) => {
      // Colours that fade are judged when they have arrived.
      await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => null)));
      const { violations } = await window.axe.run(document, { resultTypes: ["violations"], ...(runOnly && { runOnly }) });
      return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`));
    }, runOnly);
    assert.deepEqual(found, [], `axe, ${colorScheme}`);
  }
}

// The bytes that a message of the page shows, as the text that a person reads: signs such as CR in brackets.
export const shownBytes = (page, title) => page.locator(".message", { has: page.getByRole("heading", { name: title, exact: true }) }).first()
  .locator(".bytes").evaluate((pre) => {
    const copy = pre.cloneNode(true);
    for (const sign of copy.querySelectorAll(".sign")) sign.textContent = `[${sign.textContent}]`;
    return copy.textContent;
  });

// Bytes as shownBytes() has them, where no other sign than CR and LF is needed.
export const withSigns = (bytes) => bytes.replaceAll("\r", "[CR]").replaceAll("\n", "[LF]\n");

// What the server knows of the exchange that the page shows.
export const shownExchange = async (page) => {
  const n = await page.textContent(".exchange h3 .n");
  return page.evaluate(async (n) => (await fetch(`/kitchen/exchange/${n}`)).json(), n);
};

// The newest row of the history with this text.
export const row = (page, text) => page.locator(".rows a", { hasText: text }).first();

// Taps a heart, and waits until the kitchen shows that very like.
export async function tapHeart(page, post) {
  const before = Number(await page.textContent(".exchange h3 .n"));
  await page.click(`#post-${post} button`);
  await page.waitForFunction((before) => {
    const n = Number(document.querySelector(".exchange h3 .n")?.textContent);
    return n > before && document.querySelector(".exchange h3").textContent.includes("POST /api/likes") && document.querySelector(".result b");
  }, before);
}
