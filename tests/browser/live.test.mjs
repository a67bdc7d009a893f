// The page stays with the server: live, without moving, through reloads, restarts and hidden tabs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, get, isAccessible, row, send, shifts, startSite, tapHeart, withPage } from "./support.mjs";

const { url, host } = await startSite();

const numbers = (page) => page.locator(".rows a .n").allTextContents();
// The refusals of a server that is away are told by the browser itself.
const AWAY = /Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/;

test("exchanges that stream in move nothing, and a hundred are kept", () => withPage(url, {}, async (page) => {
  await page.evaluate(() => { window.shifts.length = 0; });
  for (let sent = 0; sent < 400; sent += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, i) => get(host, `/about?${sent + i}`)));
  }
  await eventually(() => page.textContent(".rows"), /about\?39\d/);
  await eventually(() => page.locator(".rows li").count(), 100, "rows");
  assert.deepEqual(await shifts(page), []);
  const shown = (await numbers(page)).map(Number);
  assert.deepEqual(shown, [...shown].sort((a, b) => b - a), "newest first, each once");
}));

test("the history is filtered, paused and unfolded", () => withPage(url, {}, async (page) => {
  for (let i = 0; i < 3; i++) await get(host, `/about?some-${i}`);
  await row(page, "some-2").waitFor();
  const filter = page.getByRole("searchbox");
  await filter.fill("some-1");
  assert.deepEqual(await page.locator(".rows .target").allTextContents(), ["/about?some-1"]);
  await filter.fill("some- 404");
  assert.equal(await page.textContent(".history .empty"), "No exchange is like that.");
  await filter.fill("");

  await page.getByRole("button", { name: "Pause" }).click();
  const held = await numbers(page);
  for (let i = 0; i < 100; i++) await get(host, `/about?later-${i}`);
  await eventually(() => page.textContent(".tools [aria-pressed=true]"), "Go on (100 new)");
  assert.deepEqual(await numbers(page), held);
  await page.getByRole("button", { name: "Go on" }).click();
  await row(page, "later-99").waitFor();

  for (const [dest, target] of [["script", "/like.js"], ["image", "/favicon.ico"]]) await get(host, target, `Sec-Fetch-Dest: ${dest}\r\n`);
  const fold = page.locator(".rows .fold").first();
  await eventually(() => fold.textContent(), "2 assets like.js, favicon.ico");
  await fold.click();
  assert.match((await page.locator(".rows .in .target").allTextContents()).join(), /\/like\.js/);
  await isAccessible(page);
}));

test("the arrow keys go through the history", () => withPage(url, {}, async (page) => {
  await get(host, "/about?first");
  await get(host, "/about?second");
  await row(page, "second").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await eventually(() => page.textContent(".exchange h3"), /first/);
}));

test("the page's own traffic is shown only when asked for, and then does not cause itself", () => withPage(url, {}, async (page) => {
  assert.equal(await page.locator(".rows .own").count(), 0);
  await page.getByLabel("the kitchen’s own").check();
  await page.locator(".rows .own").first().waitFor();
  // Two events later there are as many as before: showing them does not request more.
  await get(host, "/about?own-1");
  await row(page, "own-1").waitFor();
  const before = await page.locator(".rows .own").count();
  await get(host, "/about?own-2");
  await row(page, "own-2").waitFor();
  assert.equal(await page.locator(".rows .own").count(), before);
  await page.getByLabel("the kitchen’s own").uncheck();
  await eventually(() => page.locator(".rows .own").count(), 0);
}));

test("a connection is shown: silent, kept alive, and closed by whom", () => withPage(url, {}, async (page) => {
  const cells = () => page.locator(".connections button").allTextContents();
  const { opened, closed } = await page.evaluate(() => ({ opened: document.querySelectorAll(".connections .opened").length, closed: 0 }));
  assert.ok(opened >= 1 && closed === 0);
  await eventually(cells, (all) => all.some((text) => /@\d+ kept alive/.test(text)));
  await send(host, `GET /about?closes HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await eventually(cells, (all) => all.some((text) => /@\d+ (server|client) closed/.test(text)));
  await row(page, "closes").click();
  await eventually(() => page.textContent(".slot .pane-title"), /server closed/);
}));

test("a hidden tab lets its stream go, and has each exchange once when it is seen again", () => withPage(url, {}, async (page) => {
  const streams = [];
  page.on("request", (request) => { if (request.url().includes("/events")) streams.push(request.url()); });
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await get(host, "/about?while-hidden");
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100)))); // a frame in which it would be shown
  assert.equal(await row(page, "while-hidden").count(), 0);
  await hide(false);
  await row(page, "while-hidden").waitFor();
  assert.equal(await page.locator(".rows a", { hasText: "while-hidden" }).count(), 1);
  assert.equal(streams.length, 1);
  assert.match(streams[0], /after=[0-9a-f]+-\d+/);
}));

test("the page says how it was opened: by its address, a link, or again", () => withPage(url, {}, async (page) => {
  await eventually(() => page.textContent(".pane.page"), /opened this very page/);
  await page.getByRole("navigation", { name: "Site" }).getByText("About").click();
  await eventually(() => page.textContent(".exchange h3"), /\/about → 200/);
  assert.match(await page.textContent(".pane.page"), /followed a link or sent a form on \//);
  await page.reload();
  await eventually(() => page.textContent(".pane.page"), /loaded this page again/);
  assert.equal(await page.textContent(".table .match"), 'get("/about", pages::about),');
}));

test("the page finds its own exchange, whatever the clock of the browser says", () => withPage(url, {}, async (page) => {
  for (const hours of [1, -1]) {
    await page.addInitScript((by) => {
      const { now } = Date;
      Date.now = () => now() + by;
      const origin = performance.timeOrigin + by;
      Object.defineProperty(performance, "timeOrigin", { configurable: true, get: () => origin });
    }, hours * 3600_000);
    await page.reload();
    await get(host, "/about?later");
    await eventually(() => page.textContent(".pane.page"), /loaded this page again/);
    assert.match(await page.textContent(".exchange h3"), /GET \/ → 200/);
  }
}));

test("views have addresses: back leads from the lab to what was before", () => withPage(url, {}, async (page) => {
  await page.getByRole("navigation", { name: "Kitchen" }).getByText("Lab").click();
  await page.waitForSelector(".lab");
  assert.ok(page.url().endsWith("#lab"));
  await page.goBack();
  await page.waitForSelector(".history");
  assert.ok(await page.locator(".lab").isHidden());
}));

test("the server goes and comes back, and the page goes on", async () => {
  const first = await startSite();
  await withPage(first.url, { expected: AWAY }, async (page) => {
    await tapHeart(page, 1);
    await first.kill();
    await page.waitForSelector(".is-lost");
    assert.match(await page.textContent(".state"), /cannot be reached/);
    await page.click("#post-2 button");
    await eventually(() => page.textContent("#post-2 .trouble"), "The kitchen cannot be reached. Is the server still running?");
    await isAccessible(page);
    const old = Number(await page.textContent(".exchange h3 .n"));

    await startSite({ listen: first.host, data: first.data });
    await page.waitForSelector(".is-live");
    await eventually(() => page.textContent(".exchange"), /was of the run before/);
    assert.equal(await page.locator(".rows [aria-current]").count(), 0);
    // What the run before has shown is gone, and a like is counted on.
    await eventually(() => page.locator(".rows a").count(), (count) => count <= 3);
    await page.click("#post-1 button");
    await eventually(() => page.textContent("#post-1 .count"), "2 likes");
    await row(page, "/api/likes").waitFor();
    assert.equal(await page.textContent("#post-2 .trouble"), "");
    // The exchange of the new run with the number of the old one is the new one.
    for (let i = 0; i <= old; i++) await get(first.host, `/about?new-${i}`);
    const same = page.locator(".rows a", { has: page.locator(".n", { hasText: new RegExp(`^${old}$`) }) });
    const target = await same.locator(".target").textContent();
    assert.match(target, /^\/about\?new-/);
    await same.click();
    await eventually(() => page.textContent(".exchange h3 .target"), target);
  });
});
