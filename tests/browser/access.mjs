// For everybody: by keyboard, by ear, on a phone, without scripts, in the dark.

import assert from "node:assert/strict";
import fs from "node:fs";

import { addressOf, entry, openMenu, openPage, requireTool, signIn, text, upload } from "./site.mjs";

const AXE = fs.readFileSync(requireTool.resolve("axe-core/axe.min.js"), "utf8");

export async function access({ browser, url, folder, maxUpload }) {
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 360, height: 740 }]) {
      await everyPage({ browser, url, colorScheme, viewport });
    }
  }
  await byKeyboard({ browser, url });
  await withoutScripts({ browser, url, folder, maxUpload });
}

async function look(page, what) {
  await page.waitForLoadState();
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
  assert.deepEqual(told, [], what);
  const [needed, given] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(needed <= given, `${what} needs ${needed} of ${given} pixels`);
}

// Calls `visit(page, name)` at every page of the site, in each of its states.
export async function visitPages(page, url, visit) {
  await page.goto(`${url}/login`);
  await visit(page, "sign-in");
  await signIn(page, url, "alice", "wrong");
  await visit(page, "sign-in-failed");
  await page.goto(`${url}/files/none`);
  await visit(page, "sign-in-first");
  await signIn(page, url, "alice");
  await visit(page, "files");
  const item = page.getByRole("listitem").first();
  for (const menu of ["Share", "Link", "Delete"]) {
    await openMenu(item, menu);
    await visit(page, `files-${menu.toLowerCase()}`);
  }
  await openMenu(item, "Link");
  await item.getByRole("button", { name: "Make a link" }).click();
  const link = await page.getByLabel("Link", { exact: true }).inputValue();
  await visit(page, "link-made");
  await page.goto(link);
  await visit(page, "link");
  await page.goto(`${url}/files/none`);
  await visit(page, "not-found");
}

async function everyPage({ browser, url, colorScheme, viewport }) {
  const context = await browser.newContext({ colorScheme, viewport, hasTouch: viewport.width < 500 });
  const page = await openPage(context);
  await visitPages(page, url, (page, name) => look(page, `${name}, ${colorScheme}, ${viewport.width} pixels`));
  assert.deepEqual(page.problems, []);
  await context.close();
}

async function byKeyboard({ browser, url }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await page.goto(`${url}/login`);
  // The name has the focus already.
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type("alice");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  const summary = page.getByRole("listitem").first().locator("summary", { hasText: "Share" });
  const focused = () => summary.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 20 && !(await focused()); presses += 1) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", "the focus is seen");
  }
  assert.ok(await focused(), "every control is reached");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const field = await page.evaluate(() => document.activeElement.name);
  assert.equal(field, "with");
  await context.close();
}

async function withoutScripts({ browser, url, folder, maxUpload }) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await openPage(context);
  await signIn(page, url, "alice");
  await page.getByLabel("Upload a file").setInputFiles(text("plainly.txt", "no script"));
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  const item = entry(page, "plainly.txt");
  await item.waitFor();
  await openMenu(item, "Share");
  await item.getByLabel("Share with").fill("bob");
  await item.getByRole("button", { name: "Share" }).click();
  await item.getByText("Shared with bob").waitFor();
  await openMenu(item, "Link");
  await item.getByRole("button", { name: "Make a link" }).click();
  await page.goto(await page.getByLabel("Link", { exact: true }).inputValue());
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "plainly.txt");

  await page.goto(url);
  const tooLarge = `${folder}/too-large.bin`;
  fs.writeFileSync(tooLarge, Buffer.alloc(maxUpload + 1));
  await page.getByLabel("Upload a file").setInputFiles(tooLarge);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByRole("heading", { name: "Too large" }).waitFor();
  await page.getByRole("link", { name: "Back to the files" }).click();

  const address = await addressOf(page, "plainly.txt");
  await openMenu(item, "Delete");
  await item.getByRole("button", { name: "Delete for good" }).click();
  await item.waitFor({ state: "detached" });
  const gone = await page.goto(url + address);
  assert.equal(gone.status(), 404);
  await page.goto(url);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await context.close();
}
