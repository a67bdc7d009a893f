// The page of watch: before any server, by a link that is good once, and without what only that server knows.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { BINARY, eventually, isAccessible, row, shownBytes, start, withPage } from "./support.mjs";

const app = http.createServer((request, response) => response.setHeader("Content-Type", "text/html; charset=utf-8").end("Welcome to RohithBuilds Backend!"));
await new Promise((resolve) => app.listen(0, "127.0.0.1", resolve));
app.unref();
const watched = `127.0.0.1:${app.address().port}`;
const pattern = /your app, through the glass: (http:\S+) · the kitchen: (http:\S+)/;
const { found: [, front, link] } = await start(BINARY, ["watch", watched, "--listen", "127.0.0.1:0", "--no-trace"], pattern);

test("the link is good once, and what crosses is shown and compared", () => withPage(link, { waitFor: "#kitchen .history", expected: /403/ }, async (page) => {
  assert.ok(!page.url().includes("key="), "the key does not stay in the address");
  assert.equal((await fetch(link, { redirect: "manual" })).status, 403, "the link was used");
  assert.equal((await fetch(new URL("/kitchen/state", link))).status, 403, "there is no cookie");
  // The cookie goes to each server on this host, so it opens nothing alone; a reload has the key still.
  assert.equal(await page.evaluate(async () => (await fetch("/kitchen/state")).status), 403);
  await page.reload();
  await page.waitForSelector("#kitchen .history");
  assert.match(await page.textContent("h2"), new RegExp(`Through the glass ${watched}`));
  assert.equal(await page.locator(".menu, .dining-room").count(), 0);

  assert.equal(await (await fetch(`${front}/hello`)).text(), "Welcome to RohithBuilds Backend!");
  await row(page, "/hello").click();
  await eventually(() => page.textContent(".exchange h3"), /GET \/hello → 200 OK/);
  assert.match(await shownBytes(page, "Request"), /^GET \/hello HTTP\/1\.1\[CR\]\[LF\]\n/);
  assert.match(await shownBytes(page, "Response"), /Welcome to RohithBuilds Backend!$/);
  assert.equal(await page.locator(".table").count(), 0, "watch knows no routes");

  await page.fill(".compare textarea", "Welcome to RohithBuilds Backend!");
  assert.equal(await page.textContent(".compare .verdict b.mine"), "32 bytes");
  assert.equal((await page.locator(".bytes .mine").allTextContents()).join(""), "Welcome to RohithBuilds Backend!");
  assert.match(await page.textContent(".compare ul"), /HTTP\/1\.1 200 OK.*Content-Type: text\/html/s);
  await isAccessible(page);
  await page.fill(".compare textarea", "something else");
  assert.match(await page.textContent(".compare .verdict"), /not in the content of the response/);

  // The lab sends to the server behind.
  await page.goto(`${page.url().split("#")[0]}#lab`);
  await page.waitForSelector(".lab .mirror .word");
  await page.fill(".editor textarea", `GET /from-the-lab HTTP/1.1\nHost: ${watched}\nConnection: close\n\n`);
  await page.getByRole("button", { name: "Send these bytes" }).click();
  await eventually(() => page.textContent(".answer .said"), "The answer: 200 OK.");
  assert.match(await shownBytes(page, "Response"), /Welcome to RohithBuilds Backend!/);
  await isAccessible(page);
}));

test("without the cookie the page says where its link stands", () => withPage(new URL("/kitchen", link).href, { waitFor: null, expected: /40[34]/ }, async (page) => {
  assert.match(await page.textContent("body"), /link/);
}));
