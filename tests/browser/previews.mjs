// What is safe to show is shown: text, pictures, sound, films and PDF.

import assert from "node:assert/strict";
import path from "node:path";

import { entry, isFirefox, openPage, signIn, testData, text, until, upload } from "./site.mjs";

export async function previews({ browser, url }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await signIn(page, url, "alice");
  await upload(page, path.join(testData, "clip.mp4"));
  await upload(page, text("notes.txt", "A note, äöü."));

  const shows = async (name, isShown) => {
    const [preview] = await Promise.all([
      context.waitForEvent("page"),
      entry(page, name).getByRole("link", { name: "Preview" }).click(),
    ]);
    // It begins as an empty page.
    await preview.waitForURL(/inline=1$/, { waitUntil: "commit" });
    await until(preview, () => isShown(preview));
    await preview.close();
  };

  await shows("notes.txt", async (note) => (await note.locator("body").innerText()).trim() === "A note, äöü.");
  await shows("Harbour at dusk.jpg", (picture) =>
    picture.evaluate(() => document.images[0]?.complete && document.images[0].naturalWidth === 960));
  await shows("Chime.flac", plays);
  // Debian's Firefox plays films with a library that does not come with it.
  if (!isFirefox(browser)) {
    await shows("clip.mp4", async (film) =>
      (await plays(film)) && (await film.evaluate(() => document.querySelector("video").videoWidth)) === 128);
  }
  await shows("Invoice 2026-031.pdf", isFirefox(browser) ? invoiceInFirefox : invoiceInChromium);
  assert.deepEqual(page.problems, []);
  await context.close();
}

// Browsers show sounds as films without a picture. 2: there is something to play at this moment.
const plays = (page) => page.evaluate(() => document.querySelector("video")?.readyState >= 2);

const invoiceInFirefox = async (page) =>
  (await page.locator("#viewer .page").count()) === 1 && (await page.locator(".textLayer").innerText()).includes("Invoice");

// Chromium's viewer does not let anybody see what is on a page.
async function invoiceInChromium(page) {
  const viewer = page.frames().find((frame) => frame.url().startsWith("chrome-extension://"));
  const pages = await viewer?.evaluate(() =>
    document.querySelector("pdf-viewer")?.shadowRoot?.querySelector("viewer-toolbar")?.docLength);
  return pages === 1;
}
