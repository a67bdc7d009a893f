// A click, seen from both sides: its function, its bytes, its row, and its ten steps.
import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { test } from "node:test";
import { eventually, get, isAccessible, row, send, shownBytes, shownExchange, startSite, tapHeart, withPage, withSigns } from "./support.mjs";

const { url, host, data } = await startSite();

test("a like is seen as a number, as bytes, as a row that is lit, and as what was stored", () => withPage(url, {}, async (page) => {
  assert.equal(await page.textContent("#post-3 .count"), "0 likes");
  assert.equal(await page.textContent(".table .match"), 'get("/", pages::home),');
  await tapHeart(page, 3);
  assert.equal(await page.textContent("#post-3 .count"), "1 like");

  const { request, response, connection } = await shownExchange(page);
  const shownRequest = await shownBytes(page, "Request");
  assert.equal(shownRequest, withSigns(request.bytes));
  assert.match(shownRequest, /^POST \/api\/likes HTTP\/1\.1\[CR\]\[LF\]\nHost: 127\.0\.0\.1:\d+\[CR\]\[LF\]\n[^]*\[CR\]\[LF\]\n\[CR\]\[LF\]\npost=3$/);
  const shownResponse = await shownBytes(page, "Response");
  assert.equal(shownResponse, withSigns(response.bytes));
  assert.match(shownResponse, /^HTTP\/1\.1 201 Created\[CR\]\[LF\]\n[^]*Content-Length: 20[^]*\{"post":3,"likes":1\}$/);

  assert.equal(await page.textContent(".table .match"), 'post("/api/likes", api::like),');
  assert.equal(await page.textContent(".rows [aria-current] .target"), "/api/likes");
  assert.match(await page.textContent(".pane.page"), /called like\(post=3\)/);
  assert.match(await page.textContent(".pane.page .source"), /async function like\(order\)/);
  assert.match(await page.textContent(".kitchen-side .source"), /pub fn like\(request/);
  assert.equal(await page.textContent(".result b"), "0 likes → 1 like");
  assert.match(await page.textContent(".notes"), /^stored like 1 of post 3: 20 bytes appended and synced in [\d.]+ ms/);
  assert.match(await fs.readFile(data, "utf8"), /3/);
  assert.match(await page.textContent(".pane.slot .pane-title"), new RegExp(`@${connection}, kept alive`));
  await isAccessible(page);
}));

test("at 1280 by 800 the Like button, both first lines and the lit row are seen without scrolling", () => withPage(url, {}, async (page) => {
  const inSight = async (locator, above = 800) => {
    const box = await locator.boundingBox();
    assert.ok(box && box.y >= 0 && box.y + box.height <= above, `${locator}: ${JSON.stringify(box)}`);
  };
  await inSight(page.locator(".menu button").first());
  await tapHeart(page, 1);
  await page.evaluate(() => scrollTo(0, 0));
  const meaning = await page.locator(".slot .meaning").boundingBox();
  await inSight(page.locator(".message .word.method").first(), meaning.y);
  await inSight(page.locator(".message .word.status").first(), meaning.y);
  await inSight(page.locator(".table .match"));
}));

test("a part and its meaning light up under the pointer, a tap and the keyboard", () => withPage(url, {}, async (page) => {
  await tapHeart(page, 1);
  const request = page.locator(".message").first();
  const lit = () => request.locator(".bytes .lit").allTextContents();
  const meaning = () => page.textContent(".slot .meaning");
  await request.locator(".bytes .part", { hasText: /^POST$/ }).hover();
  await eventually(async () => (await lit()).join(), "POST", "lit by the pointer");
  assert.match(await meaning(), /^POST: .*RFC 9110 section 9\.3\.3$/s);
  await page.mouse.move(5, 5);
  await eventually(async () => (await lit()).length, 0, "lit after the pointer has left");

  await request.locator(".bytes .part", { hasText: /^Content-Length$/ }).click();
  await eventually(meaning, /^Content-Length: /);
  await page.mouse.move(5, 5);
  assert.deepEqual(await lit(), ["Content-Length"], "a tap stays");

  await request.locator(".part[tabindex='0']").focus();
  const found = [];
  for (const key of ["Home", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]) {
    await page.keyboard.press(key);
    found.push(await page.evaluate(() => [document.activeElement.textContent, document.querySelector(".meaning .about")?.textContent]));
  }
  assert.deepEqual(found.slice(0, 4), [["POST", "POST"], ["/api/likes", "/api/likes"], ["HTTP/1.1", "HTTP/1.1"], [host, host]]);
  assert.deepEqual(found[4], ["Host", "Host"]);

  await request.getByRole("button", { name: "List" }).click();
  assert.equal(await request.locator(".parts li").count(), (await shownExchange(page)).request.parts.length);
  await isAccessible(page);
}));

test("hex shows the same bytes", () => withPage(url, {}, async (page) => {
  await tapHeart(page, 1);
  await page.getByRole("button", { name: "Hex" }).first().click();
  const rows = await page.locator(".hex").first().locator(".octets").allTextContents();
  const bytes = rows.join("").trim().split(/\s+/).map((octet) => String.fromCharCode(parseInt(octet, 16))).join("");
  assert.equal(bytes, (await shownExchange(page)).request.bytes);
  await page.locator(".hex .name").nth(3).hover();
  await page.waitForSelector(".hex .lit");
  await isAccessible(page);
}));

test("ten steps lead from the click to the page, and none shows what comes later", () => withPage(url, {}, async (page) => {
  await tapHeart(page, 2);
  const { steps, n } = await shownExchange(page);
  assert.equal(steps.length, 10);
  await page.getByRole("button", { name: "Step by step" }).click();
  const isSeen = (selector) => page.evaluate((selector) => getComputedStyle(document.querySelector(selector)).visibility === "visible", selector);
  for (const { step, title, text } of steps) {
    await eventually(() => page.textContent(".said h4"), `${step}. ${title}`);
    assert.equal(await page.textContent(".said p"), text);
    assert.ok(page.url().endsWith(`#exchange-${n}/step-${step}`), page.url());
    assert.equal(await page.textContent(".stops [aria-current] b"), String(step));
    const seen = { head: await isSeen(".message .head-bytes"), content: await isSeen(".message .content-bytes"), source: await isSeen(".kitchen-side .source"), response: await isSeen(".message + .message") };
    assert.deepEqual(seen, { head: step >= 3, content: step >= 7, source: step >= 8, response: step >= 9 }, `step ${step}`);
    assert.equal(await page.locator(".table .match:not(.later)").count(), step >= 6 ? 1 : 0, `step ${step}`);
    const lamps = { 1: ".pane.page", 2: ".slot .pane-title", 3: ".message", 4: ".message", 5: ".message", 6: ".table", 7: ".message", 8: ".source", 9: ".message + .message", 10: ".result" };
    assert.ok(await page.locator(".on").evaluateAll((lit, place) => lit.some((element) => element.closest(place) || element.querySelector(place)), lamps[step]), `the lamp at step ${step}`);
    if (step === 3 || step === 8) await isAccessible(page);
    if (step < 10) await page.keyboard.press("ArrowRight");
  }
  await page.keyboard.press("ArrowLeft");
  await eventually(() => page.url(), /step-9$/);
  await page.keyboard.press("Escape");
  await eventually(() => page.url(), new RegExp(`#exchange-${n}$`));
  assert.equal(await page.locator(".later").count(), 0);
}));

test("the walk goes slowly, at once, and by its address", () => withPage(url, {}, async (page) => {
  await tapHeart(page, 2);
  const { n, steps } = await shownExchange(page);
  await page.getByRole("button", { name: "Step by step" }).click();
  await page.getByRole("button", { name: "Slowly" }).click();
  await eventually(() => page.url(), /step-2$/);
  await page.getByRole("button", { name: "Slowly" }).click();
  await page.getByRole("button", { name: "At once" }).click();
  assert.deepEqual(await page.locator(".walk .all li").allTextContents(), steps.map(({ title, text }) => `${title} ${text}`));
  await isAccessible(page);

  await page.goto(`${url}/#exchange-${n}/step-4`);
  await page.reload();
  await eventually(() => page.textContent(".said h4"), "4. Head");
}));

test("each exchange can be taken along: copied and saved", () => withPage(url, {}, async (page, context) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await tapHeart(page, 1);
  const { n, request, response, transcript, curl } = await shownExchange(page);
  for (const [name, text] of [["Transcript", transcript], ["curl", curl], ["Request bytes", request.bytes], ["Response bytes", response.bytes]]) {
    await page.locator(".along .group").first().getByRole("button", { name, exact: true }).click();
    await eventually(() => page.evaluate(() => navigator.clipboard.readText()), text, `the copy of ${name}`);
  }
  for (const [name, file, text] of [["Transcript", `exchange-${n}.wire`, transcript], ["Request", `exchange-${n}-request.bin`, request.bytes], ["Response", `exchange-${n}-response.bin`, response.bytes]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".along .group").nth(1).getByRole("button", { name, exact: true }).click()]);
    assert.equal(download.suggestedFilename(), file);
    assert.equal(await fs.readFile(await download.path(), "utf8"), text);
  }
}));

test("a broken request is shown with the byte that breaks it", () => withPage(url, {}, async (page) => {
  assert.match(await send(host, "GET /broken HTTP/1.1\r\nHost : x\r\n\r\n"), /^HTTP\/1\.1 400 /);
  await row(page, "/broken").click();
  await page.waitForSelector(".part.broken");
  assert.equal((await page.locator(".part.broken").allTextContents()).join(), " ");
  await page.locator(".part.broken").hover();
  await eventually(() => page.textContent(".slot .meaning"), /colon/);
  assert.match(await page.textContent(".why"), /\w/);
  await isAccessible(page);
}));

test("secrets are masked until somebody asks for them", () => withPage(url, {}, async (page) => {
  await get(host, "/fields", "Authorization: Bearer abc123xyz\r\nCookie: session=deadbeef\r\n");
  await row(page, "/fields").click();
  await eventually(() => page.textContent(".exchange h3"), /\/fields/);
  await eventually(() => shownBytes(page, "Request"), /Bearer \*{9}/);
  for (const secret of ["abc123xyz", "deadbeef"]) assert.ok(!(await page.textContent("#kitchen")).includes(secret), secret);
  await page.getByLabel("show secrets").check();
  await eventually(() => shownBytes(page, "Request"), /Bearer abc123xyz[^]*session=deadbeef/);
}));
