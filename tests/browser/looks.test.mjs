// How the page looks: the first paint, narrow and wide, dark, without JavaScript, and as a reader has set it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, isAccessible, row, shifts, startSite, tapHeart, withPage } from "./support.mjs";

const { url } = await startSite();

const isSeen = (page, selector) => page.locator(selector).first().isVisible();

test("the first paint needs one request", () => withPage("about:blank", { waitFor: null, expected: /a request to|ERR_FAILED|Failed to load/ }, async (page) => {
  // Every other request is held until the page has been painted with its style.
  let release;
  const painted = new Promise((resolve) => { release = resolve; });
  await page.route((address) => address.pathname !== "/", async (route) => {
    await painted;
    await route.continue();
  });
  page.goto(url).catch(() => null);
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length === 1);
  const [background, columns] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).gridTemplateColumns.split(" ").length]);
  assert.deepEqual([background, columns], ["rgb(250, 244, 232)", 2]);
  assert.equal(await page.textContent("h1"), "Welcome to RohithBuilds Backend!");
  release();
  await page.waitForSelector(".exchange .message");
  assert.deepEqual(await shifts(page), [], "nothing moves when the rest comes");
}));

for (const [name, options] of [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }]]) {
  test(`the page has colours for the ${name}`, () => withPage(url, options, async (page) => {
    const [paper, ink, tile] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.getElementById("kitchen")).backgroundColor]);
    const bright = (colour) => Math.max(...colour.match(/\d+/g).slice(0, 3).map(Number)) > 128;
    assert.deepEqual([bright(paper), bright(ink), bright(tile)], name === "light" ? [true, false, true] : [false, true, false]);
  }));
}

test("each page of the site is accessible, and is shown beside its own exchange", () => withPage(url, { expected: /40[34] \(/ }, async (page) => {
  for (const path of ["/", "/about", "/contact", "/staff", "/nowhere"]) {
    await page.goto(url + path);
    await page.waitForSelector(".exchange .message");
    await eventually(() => page.textContent(".exchange h3"), (text) => text.includes(`GET ${path} →`));
    await isAccessible(page);
  }
}));

for (const width of [320, 390]) {
  test(`at ${width} pixels the menu comes first, and the kitchen is behind its door`, () => withPage(url, { size: [width, 800], hasTouch: true, waitFor: ".door" }, async (page) => {
    assert.deepEqual([await isSeen(page, ".menu"), await isSeen(page, ".door"), await isSeen(page, ".inside")], [true, true, false]);
    await page.locator(".menu button").first().tap();
    // The door tells what a tap has caused.
    await eventually(() => page.textContent(".door .last"), "POST /api/likes → 201");
    await isAccessible(page);
    await page.getByRole("button", { name: "Open it" }).tap();
    await page.waitForSelector(".exchange .message");
    assert.deepEqual([await isSeen(page, ".menu"), await isSeen(page, ".inside")], [false, true]);
    await row(page, "/api/likes").tap();
    await eventually(() => page.textContent(".exchange h3"), /\/api\/likes/);
    await page.locator(".message .bytes .part", { hasText: /^POST$/ }).tap();
    await eventually(() => page.textContent(".slot .meaning"), /^POST: /);
    await isAccessible(page);
    await page.getByRole("button", { name: "Step by step" }).tap();
    await eventually(() => page.textContent(".said h4"), /^1\. /);
    await page.getByRole("button", { name: "Next" }).tap();
    await eventually(() => page.textContent(".said h4"), /^2\. /);
    for (const view of ["lab", "course", "words"]) {
      await page.goto(`${url}/#${view}`);
      await page.waitForSelector(`.${view}`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, view);
    }
  }));
}

for (const [width, height, columns] of [[768, 1024, 0], [1280, 800, 2], [1440, 900, 2], [1920, 1080, 2], [3840, 2160, 3]]) {
  test(`at ${width} pixels the panes have their places`, () => withPage(url, { size: [width, height], waitFor: columns ? ".exchange .message" : ".door" }, async (page) => {
    if (columns === 0) {
      assert.ok(await isSeen(page, ".door"));
      await page.getByRole("button", { name: "Open it" }).click();
      await page.waitForSelector(".exchange .message");
    } else {
      await tapHeart(page, 1);
    }
    // The panes of an exchange replace those of the last one.
    const boxes = await eventually(
      () => page.locator(".pane").evaluateAll((panes) => panes.map((pane) => pane.getBoundingClientRect()).map(({ x, y, width, right }) => ({ x, y, width, right }))),
      (boxes) => boxes.length === 3 && boxes.every(({ width }) => width > 0),
      "the panes",
    );
    const [, slot, kitchen] = boxes;
    if (columns >= 2) assert.ok(slot.y === kitchen.y && slot.right < kitchen.x, JSON.stringify(boxes));
    if (columns === 3) assert.equal(boxes[0].y, slot.y);
    assert.ok(Math.max(...boxes.map(({ right }) => right)) > width * 0.95, "the width is used");
    assert.ok(slot.width >= 300, JSON.stringify(slot));
  }));
}

test("without JavaScript the dining room works, and the kitchen is not there", () => withPage(url, { javaScriptEnabled: false, waitFor: "#post-4 button" }, async (page) => {
  const before = parseInt(await page.textContent("#post-4 .count"), 10);
  await page.click("#post-4 button");
  await page.waitForURL(/#post-4$/);
  assert.equal(parseInt(await page.textContent("#post-4 .count"), 10), before + 1);
  assert.ok(!(await isSeen(page, "#kitchen")));
  const box = await page.locator("main").boundingBox();
  assert.ok(box.width > 600, JSON.stringify(box));
}));

test("the door is closed and opened, and the browser remembers", () => withPage(url, {}, async (page) => {
  await page.getByRole("button", { name: "Close the door" }).click();
  await page.getByText("Kitchen staff only", { exact: true }).waitFor();
  await isAccessible(page);
  await page.reload();
  await page.getByRole("button", { name: "Open it" }).click();
  await page.reload();
  await page.waitForSelector(".exchange .message");
}));

test("a keyboard gets everywhere: past the menu, through the history, into the bytes", () => withPage(url, {}, async (page) => {
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Go to the kitchen");
  await page.keyboard.press("Enter");
  const seen = [];
  for (let i = 0; i < 40 && !seen.includes("part"); i++) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => {
      const { activeElement: { classList, textContent, type, id } } = document;
      const outline = getComputedStyle(document.activeElement).outlineStyle;
      if (outline === "none") return `no focus ring: ${id || classList || textContent}`;
      return classList.contains("part") ? "part" : type === "search" ? "filter" : textContent;
    }));
  }
  for (const stop of ["Lab", "Course", "Words", "filter", "Pause", "Step by step", "part"]) assert.ok(seen.includes(stop), `${stop}: ${seen}`);
  assert.deepEqual(seen.filter((stop) => stop.startsWith("no focus")), []);
}));

test("who wants no motion gets none", () => withPage(url, { reducedMotion: "reduce" }, async (page) => {
  await tapHeart(page, 1);
  await page.getByRole("button", { name: "Step by step" }).click();
  const durations = await page.evaluate(() => [".token", ".rows li"].map((selector) => getComputedStyle(document.querySelector(selector)).transitionDuration));
  assert.deepEqual(durations, ["0s", "0s"]);
  assert.equal(await page.evaluate(() => document.getAnimations().filter(({ animationName }) => animationName === "beat").length), 0);
}));

test("with forced colours, what is lit has an outline", () => withPage(url, { forcedColors: "active" }, async (page) => {
  await tapHeart(page, 1);
  const outline = (selector) => page.evaluate((selector) => getComputedStyle(document.querySelector(selector)).outlineStyle, selector);
  assert.equal(await outline(".table .match"), "solid");
  await page.locator(".message .bytes .part").first().hover();
  await page.waitForSelector(".bytes .lit");
  assert.equal(await outline(".bytes .lit"), "solid");
  await page.getByRole("button", { name: "Step by step" }).click();
  await page.waitForSelector(".on");
  assert.equal(await outline(".on"), "solid");
}));

test("at a zoom of 200 % all is there", () => withPage(url, { size: [640, 400], deviceScaleFactor: 2, waitFor: ".door" }, async (page) => {
  await page.getByRole("button", { name: "Open it" }).click();
  await page.waitForSelector(".exchange .message");
  await isAccessible(page);
}));

test("a kitchen that is shut says why", async () => {
  const shut = await startSite({ flags: ["--no-kitchen"] });
  await withPage(shut.url, { waitFor: ".inside .empty", expected: /403/ }, async (page) => {
    assert.equal(await page.textContent("#kitchen h2"), "The kitchen is closed");
    assert.match(await page.textContent(".inside .empty"), /--no-kitchen/);
    await page.click("#post-1 button");
    await eventually(() => page.textContent("#post-1 .count"), "1 like");
    await isAccessible(page);
  });
});

test("a site without a trace shows what crosses since the page looks", async () => {
  const quiet = await startSite({ flags: ["--no-trace"] });
  // What the browser asks for after the page, such as its icon, may be in the list by now.
  await withPage(quiet.url, { waitFor: ".history" }, async (page) => {
    await page.click("#post-1 button");
    await page.waitForSelector(".exchange .message");
    await eventually(() => page.textContent(".rows"), /POST.*\/like/);
    await isAccessible(page);
  });
});

test("an exchange that is not kept any more says so", () => withPage(`${url}/#exchange-999999`, { waitFor: ".exchange .empty", expected: /404/ }, async (page) => {
  assert.match(await page.textContent(".exchange .empty"), /Exchange 999999 is not kept any more/);
}));
