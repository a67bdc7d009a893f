// A reader who sees the page alone finds the answers: each of questions.txt is looked for where it should stand.
import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test } from "node:test";
import { eventually, startSite, tapHeart, withPage } from "./support.mjs";

const { url } = await startSite();

// Blocks of lines: the question, and then its "key: value" lines in order.
const text = fs.readFileSync(new URL("questions.txt", import.meta.url), "utf8");
const questions = text.split(/\n\n+/).slice(1).map((block) => {
  const [question, ...lines] = block.trim().split("\n");
  return { question, lines: lines.map((line) => line.match(/^(open|do|says): (.+)$/).slice(1)) };
});

const answered = (page) => eventually(() => page.locator(".answer .said").first().textContent(), /^The answer: /);

const deeds = {
  like: (page) => tapHeart(page, 1),
  choose: (page, name) => page.getByRole("button", { name, exact: true }).click(),
  next: async (page, count) => {
    for (let i = 0; i < count; i++) await page.getByRole("button", { name: "Next" }).click();
  },
  point: async (page, part) => {
    await page.locator(".bytes .part").filter({ hasText: new RegExp(`^${part}$`) }).first().hover();
    await eventually(() => page.textContent(".slot .meaning .about"), part);
  },
  answer: async (page) => {
    await page.locator(".choice").first().click();
    await page.getByRole("button", { name: "Send it" }).click();
    await page.waitForSelector(".verdict h4 + p b");
  },
  send: async (page) => {
    await page.getByRole("button", { name: "Send these bytes" }).click();
    await answered(page);
  },
};

test("there are twenty questions, and each has a place and words", () => {
  assert.equal(questions.length, 20);
  for (const { question, lines } of questions) {
    assert.match(question, /\?$/);
    assert.equal(lines[0][0], "open", question);
    assert.equal(lines.at(-1)[0], "says", question);
  }
});

const ask = ({ question, lines }) => {
  const [[, address], ...rest] = lines;
  test(question, () => withPage(url + address, { waitFor: address === "/" ? ".exchange .message" : ".views > :not([hidden]) > *" }, async (page) => {
    for (const [key, value] of rest) {
      const [deed, ...about] = value.split(" ");
      if (key === "do") await deeds[deed](page, about.join(" "));
      // What is seen: innerText leaves out what is hidden.
      else await eventually(async () => (await page.innerText("#kitchen")).replace(/\s+/g, " "), (seen) => seen.includes(value), value);
    }
  }));
};

// Likes of two pages at once could be taken for each other. Lessons wait for silence, so they do it three at a time.
const isLike = ({ lines }) => lines.some(([, value]) => value === "like");
describe("at the kitchen", () => questions.filter(isLike).forEach(ask));
describe("in the lab and the course", { concurrency: 3 }, () => questions.filter((one) => !isLike(one)).forEach(ask));
