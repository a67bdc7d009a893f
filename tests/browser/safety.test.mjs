// Bytes of strangers act on nothing: they are text, each of them named.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { eventually, get, isAccessible, row, send, shownBytes, startSite, tapHeart, withPage } from "./support.mjs";

const { url, host } = await startSite();

const ATTACKS = [
  ["script", "<script>alert(1)</script><img src=x onerror=alert(2)>", "<script>alert(1)</script><img src=x onerror=alert(2)>"],
  ["nul", "a\0b", "a[NUL]b"],
  ["escape", "\x1b[31mred\x1b[0m", "[ESC][31mred[ESC][0m"],
  ["bidi", "\xe2\x80\xaeevil", "[U+202E]evil"],
  ["invisible", "a\xe2\x80\x8bb\xef\xbb\xbfc", "a[U+200B]b[U+FEFF]c"],
  ["not-utf-8", "\xff\xfe", "[xFF][xFE]"],
  ["letters", "caf\xc3\xa9", "café"],
];

for (const [name, bytes, shown] of ATTACKS) {
  test(`in a field value, ${name} is text`, () => withPage(url, {}, async (page) => {
    await get(host, `/fields?${name}`, `X-Name: ${bytes}\r\n`);
    await row(page, `/fields?${name}`).click();
    await eventually(() => page.textContent(".exchange h3"), new RegExp(name));
    const text = await shownBytes(page, "Request");
    assert.ok(text.includes(`X-Name: ${shown}[CR][LF]\n`), text);
    assert.deepEqual(await page.evaluate(() => [document.querySelectorAll("#kitchen :is(img, script, iframe)").length, /[\0\x1b\u202e\u200b\ufeff]/.test(document.body.textContent)]), [0, false]);
    await page.getByRole("button", { name: "Hex" }).first().click();
    await page.waitForSelector(".hex");
  }));
}

test("a target of 16 KiB and one of markup stand in their place", () => withPage(url, {}, async (page) => {
  await send(host, `GET /<b>${"a".repeat(16_000)}</b> HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await row(page, "/<b>aaa").click();
  await eventually(() => page.textContent(".exchange h3"), /<b>aaa/);
  const box = await page.locator(".exchange > header").boundingBox();
  assert.ok(box.height < 200, JSON.stringify(box));
  assert.equal(await page.locator("#kitchen .target b").count(), 0);
  await isAccessible(page);
}));

test("the policy stops a script that would stand in the page, and markup that a script would write", () => withPage(url, { expected: /Content Security Policy|TrustedHTML|Trusted/ }, async (page) => {
  const outcome = await page.evaluate(async () => {
    window.ran = false;
    const script = document.createElement("script");
    try { script.textContent = "window.ran = true"; document.body.append(script); } catch { /* refused at once */ }
    let markup = "written";
    try { document.body.insertAdjacentHTML("beforeend", "<i></i>"); } catch { markup = "refused"; }
    const elsewhere = await fetch("http://127.0.0.1:9/").then(() => "loaded", () => "refused");
    return { ran: window.ran, markup, elsewhere };
  });
  assert.deepEqual(outcome, { ran: false, markup: "refused", elsewhere: "refused" });
}));

test("a page of another origin reads nothing and likes nothing", async () => {
  const other = http.createServer((request, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>Another site</title>"));
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  const likes = async () => (await fetch(`${url}/api/likes`)).text();
  const before = await likes();
  await withPage(`http://127.0.0.1:${other.address().port}/`, { waitFor: null, expected: /CORS|Failed to load|a request to|EventSource/ }, async (page) => {
    const statuses = [];
    page.on("response", (response) => { if (response.url().startsWith(url)) statuses.push(`${new URL(response.url()).pathname} ${response.status()}`); });
    const outcome = await page.evaluate(async (url) => {
      const get = (path, options) => fetch(url + path, options).then((answer) => answer.type, () => "refused");
      const events = new EventSource(`${url}/kitchen/events`);
      const streamed = new Promise((resolve) => { events.onopen = () => resolve("open"); events.onerror = () => resolve("refused"); });
      const post = { method: "POST", mode: "no-cors", body: new URLSearchParams("post=1") };
      return [await get("/kitchen/state"), await get("/kitchen/exchange/1"), await get("/kitchen/lab", post), await get("/api/likes", post), await get("/like", post), await streamed];
    }, url);
    assert.deepEqual(outcome, ["refused", "refused", "opaque", "opaque", "opaque", "refused"]);
    for (const path of ["/kitchen/lab", "/api/likes", "/like"]) assert.ok(statuses.includes(`${path} 403`), `${path}: ${statuses}`);
  });
  other.close();
  assert.equal(await likes(), before);
  for (const [fields, status] of [["Host: evil.example", 421], [`Host: ${host}\r\nSec-Fetch-Site: cross-site`, 403]]) {
    assert.match(await send(host, `GET /kitchen/state HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n`), new RegExp(`^HTTP/1\\.1 ${status} `));
  }
});

test("the page asks no other host for anything", () => withPage(url, {}, async (page) => {
  // withPage notes each request to another host; a like, the lab and the course are what could cause one.
  await tapHeart(page, 1);
  for (const view of ["lab", "course", "words"]) {
    await page.evaluate((view) => { location.hash = view; }, view);
    await page.waitForSelector(`.${view}`);
  }
}));
