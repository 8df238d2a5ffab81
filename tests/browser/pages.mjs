// Every page of the site, in each of its states.

import fs from "node:fs/promises";
import path from "node:path";

import { makeLink, openMenu, press, signIn } from "./site.mjs";

// Calls `visit(name)` at each of them. Needs the users alice and carol, who has no files.
export async function visitPages({ page, url, folder, maxUpload }, visit) {
  await page.goto(`${url}/login`);
  await visit("sign-in");
  await signIn(page, url, "alice", "wrong");
  await visit("sign-in-failed");
  await page.goto(`${url}/files/none`);
  await visit("sign-in-first");
  await signIn(page, url, "carol");
  await visit("files-none");
  await press(page, page.getByRole("button", { name: "Sign out" }));

  await signIn(page, url, "alice");
  await visit("files");
  const item = page.getByRole("listitem").first();
  for (const menu of ["Share", "Link", "Delete"]) {
    await openMenu(item, menu);
    await visit(`files-${menu.toLowerCase()}`);
  }
  await page.goto(url);
  const link = await makeLink(page, item);
  await visit("link-made");
  await page.goto(link);
  await visit("link");
  await page.goto(`${link}x`);
  await visit("link-not-good");
  await page.goto(`${url}/files/none`);
  await visit("not-found");

  await page.goto(url);
  const tooLarge = path.join(folder, "too-large.bin");
  await fs.writeFile(tooLarge, Buffer.alloc(maxUpload + 1));
  await page.getByLabel("Upload files").setInputFiles(tooLarge);
  // As it is sent where no script runs; the script would not send it at all.
  const there = page.waitForEvent("load");
  await page.locator("#upload").evaluate((form) => form.submit());
  await there;
  await visit("upload-refused");
}
