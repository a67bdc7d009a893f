// The lab: bytes are typed, explained while they are typed, and sent as they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, isAccessible, send, shownBytes, startSite, withPage, withSigns } from "./support.mjs";

const { url, host } = await startSite();

const lab = (name, act) => () => withPage(`${url}/#lab${name}`, { waitFor: ".lab .mirror .word" }, act);
const write = (page, text) => page.fill(".editor textarea", text);
const sendIt = (page) => page.getByRole("button", { name: "Send these bytes" }).click();
const said = (page) => page.textContent(".answer .said");
const figures = (page) => page.textContent(".draft .figures");

test("a character that turns the direction of text is an escape in the editor", lab("", async (page) => {
  await page.fill(".editor textarea", `GET /\u202eevil HTTP/1.1\nHost: ${host}\n\n`);
  assert.equal(await page.inputValue(".editor textarea"), `GET /\\xe2\\x80\\xaeevil HTTP/1.1\nHost: ${host}\n\n`);
  assert.match(await page.textContent(".mirror"), /^GET \/\\xe2\\x80\\xaeevil HTTP\/1\.1CRLF\n/);
}));

test("a broken request shows its caret before it is sent, and the same refusal after", lab("/space", async (page) => {
  await page.waitForSelector(".refusal .here");
  assert.equal(await page.textContent(".refusal .here"), " ");
  assert.equal(await page.textContent(".refusal .line"), `Host : ${host}`);
  assert.equal(await page.locator(".refusal .here").evaluate((here) => getComputedStyle(here, "::after").content), '"^"');
  assert.match(await page.textContent(".refusal"), /a space stands between a header field's name and its colon.*RFC 9112 section 5\.1/s);
  assert.equal((await page.locator(".mirror .broken").allTextContents()).join(), " ");
  assert.equal(await said(page), "The answer comes here, piece by piece, with the time of each.", "nothing was sent");
  await isAccessible(page);

  await sendIt(page);
  await eventually(() => said(page), "The answer: 400 Bad Request.");
  assert.equal(await page.textContent(".refusal .here"), " ");
  assert.match(await shownBytes(page, "Response"), /\n {4}Host : 127[^]*\n {8}\^/);
  assert.equal((await page.locator(".explained .message .part.broken").allTextContents()).join(), " ");
  await isAccessible(page);
  await page.getByRole("link", { name: "Walk this exchange in ten steps" }).click();
  await eventually(() => page.textContent(".said h4"), "1. The click");
}));

test("each byte that is typed is counted and seen", lab("", async (page) => {
  for (const [text, count, signs] of [
    ["A\nB", "4 bytes in 1 write", "CR LF"],
    ["A\\n\nB\\\nC\\x00\\\\", "6 bytes in 1 write", "LF"],
    [">>>\nAB\\\n--- wait 20ms\n>>>\nC\\\n", "3 bytes in 2 writes", ""],
    ["\\{17 \"ab\"}\\\n", "34 bytes in 1 write", ""],
    ["é", "2 bytes in 1 write", ""],
  ]) {
    await write(page, text);
    assert.equal(await figures(page), count, text);
    assert.equal((await page.locator(".mirror .sign").allTextContents()).join(" "), signs, text);
  }
}));

test("what was typed arrives byte for byte", lab("", async (page) => {
  const bytes = `POST /raw HTTP/1.1\r\nHost: ${host}\r\nX-Odd: a\tb\r\nContent-Length: 8\r\n\r\n\0\x01\xff\\\nend`;
  await write(page, `POST /raw HTTP/1.1\nHost: ${host}\nX-Odd: a\\tb\nContent-Length: 8\n\n\\0\\x01\\xff\\\\\\n\nend`);
  await sendIt(page);
  await eventually(() => said(page), "The answer: 200 OK.");
  const shown = await shownBytes(page, "Request, as it was sent");
  assert.equal(shown, withSigns(bytes).replace("\t", "[TAB]").replace("\0\x01\xff", "[NUL][x01][xFF]"));
  assert.match(await shownBytes(page, "Response"), /\[NUL\]\[x01\]\[xFF\]\\\[LF\]\nend$/);
}));

test("three writes are three reads, and the answer comes piece by piece with its times", lab("/slowly", async (page) => {
  assert.match(await figures(page), /in 3 writes$/);
  await sendIt(page);
  // The pieces stand there while more is awaited.
  await eventually(() => page.locator(".pieces > .sent").count(), (count) => count >= 1 && count < 3);
  await eventually(() => said(page), "The answer: 200 OK.");
  const pieces = await page.locator(".pieces .pieces li").evaluateAll((all) => all.map(({ className, firstChild }) => [className, parseFloat(firstChild.textContent.slice(1))]));
  assert.deepEqual(pieces.slice(0, 3).map(([kind]) => kind), ["sent", "sent", "sent"]);
  assert.ok(pieces[1][1] >= 300 && pieces[2][1] >= 600, JSON.stringify(pieces));
  assert.equal(pieces.some(([kind]) => kind === "received"), true);
  assert.match(await page.textContent(".explained .figures >> nth=-1"), /3 writes/);
}));

test("two requests in one write get two responses, each in its own colours", lab("/two-in-one", async (page) => {
  await sendIt(page);
  await eventually(() => said(page), "The answer: 200 OK.");
  for (const [title, kind, texts] of [
    ["Response", ".status", ["200", "200"]], ["Response", ".version", ["HTTP/1.1", "HTTP/1.1"]],
    ["Request, as it was sent", ".method", ["GET", "GET"]], ["Request, as it was sent", ".target", ["/healthz", "/fields"]],
  ]) {
    const message = page.locator(".message", { has: page.getByRole("heading", { name: title, exact: true }) });
    assert.deepEqual(await message.locator(`.bytes .word${kind}`).allTextContents(), texts, `${title} ${kind}`);
  }
}));

test("a word under the cursor is explained, and the draft is kept", lab("/get", async (page) => {
  await page.locator(".editor textarea").click({ position: { x: 20, y: 20 } });
  await eventually(() => page.textContent(".draft .meaning"), /^GET: .*RFC 9110 section 9\.3\.1/);
  await write(page, "GET /kept HTTP/1.1\n");
  await page.goto(`${url}/#lab`);
  await page.reload();
  await page.waitForSelector(".lab");
  assert.equal(await page.inputValue(".editor textarea"), "GET /kept HTTP/1.1\n");
}));

test("every preset is answered, and the dangerous ones are refused", async () => {
  let names = null;
  const answers = {};
  // Four at a time, since a lab waits until its answer is surely over. Each has a browser profile of its own, because a
  // profile opens six connections to a host at most, and each page holds one.
  await Promise.all(Array.from({ length: 4 }, lab("", async (page) => {
    names ??= await page.locator(".chip").evaluateAll((chips) => chips.map(({ hash }) => hash.split("/")[1]));
    for (let name = names.pop(); name; name = names.pop()) {
      await page.evaluate((name) => { location.hash = `#lab/${name}`; }, name);
      await page.waitForSelector(`.chip[href="#lab/${name}"][aria-current]`);
      await sendIt(page);
      answers[name] = (await eventually(() => said(page), /^The answer: /)).slice(12, 15);
    }
  })));
  for (const [name, status] of Object.entries({ get: "200", like: "201", chunks: "200", head: "200", "two-in-one": "200", slowly: "200", continue: "100", old: "200", "no-host": "400", "two-hosts": "400", space: "400", "bare-lf": "400", folded: "400", "two-lengths": "400", smuggle: "400", "bad-chunk": "400", nul: "400", script: "200", huge: "431", tls: "400" })) {
    assert.equal(answers[name], status, name);
  }
  assert.equal(Object.keys(answers).length, 20);
});

test("a transcript that cannot be parsed gets a sentence", () => withPage(`${url}/#lab`, { waitFor: ".lab", expected: /400 \(Bad Request\)/ }, async (page) => {
  await write(page, "--- no such event\n");
  await sendIt(page);
  await page.waitForSelector(".answer .trouble");
  assert.match(await said(page), /\w+ /);
  await isAccessible(page);
}));

test("the lab sends to this server and nowhere else", async () => {
  const answer = await send(host, `POST /kitchen/lab HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 403 /);
});
