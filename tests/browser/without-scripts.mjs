// The first minute in a browser that runs no scripts.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import path from "node:path";

import { addressOf, downloadBy, entry, makeLink, openMenu, openPage, press, signIn, text, upload } from "./site.mjs";

export async function withoutScripts({ browser, url, folder, maxUpload }) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await openPage(context);
  await signIn(page, url, "alice");
  await page.locator("img.thumbnail").first().waitFor();
  await upload(page, text("plainly.txt", "no script"));
  const item = entry(page, "plainly.txt");
  isPlainly(await downloadBy(page, () => item.getByRole("link", { name: "Download" }).click()));

  const [preview] = await Promise.all([
    context.waitForEvent("page"),
    item.getByRole("link", { name: "Preview" }).click(),
  ]);
  await preview.getByText("no script").waitFor();
  await preview.close();

  await openMenu(item, "Share");
  await item.getByLabel("Share with").fill("bob");
  await press(page, item.getByRole("button", { name: "Share" }));
  await item.getByText("Shared with bob").waitFor();
  await page.goto(await makeLink(page, item));
  isPlainly(await downloadBy(page, () => page.getByRole("button", { name: "Download" }).click()));

  await page.goto(url);
  const tooLarge = path.join(folder, "too-large.bin");
  await fs.writeFile(tooLarge, Buffer.alloc(maxUpload + 1));
  await upload(page, tooLarge);
  await page.getByRole("heading", { name: "Too large" }).waitFor();
  await press(page, page.getByRole("link", { name: "Back to the files" }));

  const address = await addressOf(page, "plainly.txt");
  await openMenu(item, "Delete");
  await press(page, item.getByRole("button", { name: "Delete for good" }));
  await item.waitFor({ state: "detached" });
  const gone = await page.goto(url + address);
  assert.equal(gone.status(), 404);
  await page.goto(url);
  await press(page, page.getByRole("button", { name: "Sign out" }));
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await context.close();
}

function isPlainly(download) {
  assert.deepEqual(download, { name: "plainly.txt", content: "no script" });
}
