// The course: read, predict, send, compare, break it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, isAccessible, startSite, withPage } from "./support.mjs";

const { url } = await startSite();
const lessons = (await (await fetch(`${url}/kitchen/course`)).json()).groups.flatMap((group) => group.lessons);

const sendIt = (page) => page.getByRole("button", { name: "Send it" });

test("a lesson goes from the prediction to the break, and the browser keeps that it is done", () => withPage(`${url}/#course`, { waitFor: ".lesson .primary" }, async (page) => {
  assert.match(await page.textContent(".lesson"), new RegExp(`0 of ${lessons.length} done`));
  await isAccessible(page);
  const { title, number, predict, request, because, breaks } = lessons.find(({ name }) => name.endsWith("a-space-before-the-colon"));
  await page.getByRole("link", { name: title }).click();
  await eventually(() => page.textContent(".lesson h3"), `${number} ${title}`);
  assert.ok(await sendIt(page).isDisabled(), "a prediction comes first");
  assert.match(await page.textContent(".stage[aria-label=Read] .bytes"), /^GET \S+ HTTP\/1\.1/);
  assert.ok(!(await page.textContent(".stage[aria-label=Read] .bytes")).includes("HTTP/1.1 400"), "the answer is not shown");
  assert.ok(request.includes("400"), "though the lesson has it");
  await isAccessible(page);

  const wrong = (predict.right + 1) % predict.answers.length;
  await page.locator(".choice").nth(wrong).click();
  assert.ok(await sendIt(page).isEnabled());
  await sendIt(page).click();
  await eventually(() => page.textContent(".stage[aria-label=Send] .said"), /^The answer: 400 Bad Request/);
  await page.waitForSelector(".verdict.wrong");
  const plain = (text) => text.replaceAll("`", "");
  assert.equal(await page.textContent(".verdict"), `CompareNot as you predicted. The right answer: ${plain(predict.answers[predict.right])}${plain(because)}`);

  const stage = page.locator(".stage[aria-label='Break it']");
  assert.equal(await stage.locator("li").count(), breaks.length);
  await stage.getByRole("button", { name: "Break it" }).first().click();
  await eventually(() => stage.locator(".said").first().textContent(), /^The answer: \d{3}/);
  await eventually(() => stage.getByRole("button", { name: "Break it again" }).count(), 1);
  await isAccessible(page);

  await page.reload();
  await stage.waitFor();
  assert.deepEqual(await page.locator(".index li", { has: page.locator("[aria-label=done]") }).allTextContents(), [`●${number}${title}`]);
  assert.equal(await page.locator(".choice input:checked").count(), 1);
  assert.equal(await stage.getByRole("button", { name: "Break it again" }).count(), 1);
}));

test("a right prediction is told so", () => withPage(`${url}/#lesson-3`, { waitFor: ".stage" }, async (page) => {
  await page.locator(".choice").nth(lessons[2].predict.right).click();
  await sendIt(page).click();
  await page.waitForSelector(".verdict.right");
  assert.match(await page.textContent(".verdict"), /^CompareAs you predicted: /);
}));

test("a lesson can be taken to the lab, where it is the same bytes", () => withPage(`${url}/#lesson-15`, { waitFor: ".stage" }, async (page) => {
  const bytes = await page.textContent(".stage[aria-label=Read] .bytes");
  await page.getByRole("button", { name: "Take it to the lab" }).first().click();
  await page.waitForSelector(".lab .mirror .word");
  assert.equal(await page.textContent(".lab .mirror"), bytes);
}));

test("every lesson opens, shows no answer, and keeps within the page", () => withPage(`${url}/#course`, { waitFor: ".lesson .primary" }, async (page) => {
  const found = await page.evaluate(async (numbers) => {
    const found = [];
    for (const number of numbers) {
      location.hash = `#lesson-${number}`;
      while (document.querySelector(".lesson h3 .n")?.textContent !== String(number)) await new Promise(requestAnimationFrame);
      const views = document.querySelector(".views");
      const shown = [...document.querySelectorAll(".stage .bytes")].map((pre) => pre.textContent).join();
      if (views.scrollWidth > views.clientWidth) found.push(`${number} is too wide`);
      if (/^HTTP\/1\.\d \d|^\?\?\?/m.test(shown)) found.push(`${number} shows an answer`);
    }
    return found;
  }, lessons.map(({ number }) => number));
  assert.deepEqual(found, []);
}));

// The draft that a lesson gives, and that goes from the lab to the server, says the same again.
test("a lesson as a draft, and back as a transcript, is the same", () => withPage(url, {}, async (page) => {
  const all = lessons.flatMap(({ request, breaks }) => [request, ...breaks.map((one) => one.request)]);
  assert.ok(all.length > 100);
  const differing = await page.evaluate(async (all) => {
    const { toDraft, toTranscript } = await import("/kitchen/draft.js");
    return all.filter((request) => toDraft(toTranscript(toDraft(request))) !== toDraft(request));
  }, all);
  assert.deepEqual(differing, []);
}));

test("the words stand in one list", () => withPage(`${url}/#words`, { waitFor: ".words dd" }, async (page) => {
  const { words } = await (await fetch(`${url}/kitchen/words`)).json();
  assert.deepEqual(await page.locator(".words dt").allTextContents(), words.map(({ word }) => word));
  await isAccessible(page);
}));
