// What is safe to show is shown: pictures, films, text and PDF.

import assert from "node:assert/strict";
import path from "node:path";

import { entry, openPage, signIn, testData, text, upload } from "./site.mjs";

export async function previews({ browser, url }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await signIn(page, url, "alice");
  await upload(page, path.join(testData, "clip.mp4"));
  await upload(page, text("notes.txt", "A note, äöü."));

  const shown = async (name) => {
    const [preview] = await Promise.all([
      context.waitForEvent("page"),
      entry(page, name).getByRole("link", { name: "Preview" }).click(),
    ]);
    await preview.waitForLoadState();
    return preview;
  };

  const note = await shown("notes.txt");
  assert.equal(await note.locator("pre").innerText(), "A note, äöü.");
  await note.close();

  const picture = await shown("Harbour at dusk.jpg");
  assert.ok(await picture.evaluate(() => document.images[0].complete && document.images[0].naturalWidth > 100));
  await picture.close();

  const film = await shown("clip.mp4");
  // Asked from outside: no script runs in there, not even a test's.
  while (!(await film.evaluate(() => document.querySelector("video").readyState >= 2))) await film.waitForTimeout(50);
  assert.equal(await film.evaluate(() => document.querySelector("video").videoWidth), 128);
  await film.close();

  const paper = await shown("Invoice 2026-031.pdf");
  while ((await pagesInViewer(paper)) !== 1) await paper.waitForTimeout(50);
  await paper.close();
  await context.close();
}

// How many pages Chromium's own viewer counts, once it has the file.
function pagesInViewer(page) {
  const viewer = page.frames().find((frame) => frame.url().startsWith("chrome-extension://"));
  return viewer?.evaluate(() =>
    document.querySelector("pdf-viewer")?.shadowRoot?.querySelector("viewer-toolbar")?.docLength);
}
