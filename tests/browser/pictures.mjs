// Makes the pictures of README from the page itself: `make pictures`. Each shows what a reader can do, and is small.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { eventually, openBrowser, startSite, tapHeart, withPage } from "./support.mjs";

const { url } = await startSite();
const FOLDER = new URL("../pictures/", import.meta.url).pathname;
const QUALITY = 0.47; // text can be read, and all six are below LIMIT
const LIMIT = 400_000; // bytes

// A canvas writes WebP, which is half as large as PNG here. (Screenshots of Chromium are PNG or JPEG.)
async function save(page, name) {
  const png = await page.screenshot();
  const other = await (await openBrowser()).newPage();
  const webp = await other.evaluate(async ([png, quality]) => {
    const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, [png.toString("base64"), QUALITY]);
  await other.close();
  const bytes = Buffer.from(webp, "base64");
  fs.writeFileSync(`${FOLDER}${name}.webp`, bytes);
  console.log(`${name}.webp: ${bytes.length} bytes`);
}

const picture = (name, options, act) => test(name, () => withPage(`${url}/${options.hash ?? ""}`, options, async (page) => {
  await act(page);
  await page.evaluate(async () => {
    scrollTo(0, 0);
    document.activeElement?.blur?.();
    await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => null)));
  });
  await save(page, name);
}));

async function likeWithLight(page) {
  await tapHeart(page, 1);
  await page.locator(".message .bytes .framing").first().hover();
  await page.waitForSelector(".bytes .lit");
}

picture("light", {}, likeWithLight);
picture("dark", { colorScheme: "dark" }, likeWithLight);
picture("phone", { size: [390, 780], hasTouch: true, waitFor: ".door" }, async (page) => {
  await page.locator(".menu button").first().click();
  await eventually(() => page.textContent(".door .last"), /likes/);
});
picture("steps", {}, async (page) => {
  await tapHeart(page, 1);
  await page.getByRole("button", { name: "Step by step" }).click();
  for (let step = 1; step < 6; step++) await page.keyboard.press("ArrowRight");
  await eventually(() => page.textContent(".said h4"), /^6\. /);
});
picture("lab", { hash: "#lab/space", waitFor: ".refusal .here" }, async (page) => {
  await page.getByRole("button", { name: "Send these bytes" }).click();
  await eventually(() => page.textContent(".answer .said"), /400/);
});
picture("lesson", { hash: "#lesson-15", waitFor: ".choice" }, async (page) => {
  await page.locator(".choice").nth(1).click();
});

test("all pictures together are small", () => {
  const sum = fs.readdirSync(FOLDER).reduce((sum, name) => sum + fs.statSync(FOLDER + name).size, 0);
  assert.ok(sum < LIMIT, `${sum} bytes`);
});
