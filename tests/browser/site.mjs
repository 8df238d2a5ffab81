// A visitor's browser at the demo.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const requireTool = createRequire(path.join(root, "target/tools/npm/node_modules/"));
export const testData = path.join(root, "tests/data");

const { chromium, firefox } = requireTool("playwright-core");

const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  // Without these it asks its makers' hosts for many things.
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
};

// Debian's own builds. Such a Firefox is spoken to in WebDriver BiDi.
export const browsers = {
  chromium: () => chromium.launch(CHROMIUM),
  firefox: () => firefox.launch({ channel: "moz-firefox", executablePath: "/usr/bin/firefox-esr" }),
};

export const chromiumWithProfile = (folder) => chromium.launchPersistentContext(folder, CHROMIUM);

// A page that remembers when a script breaks or the browser refuses something of the site's own.
export async function openPage(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    // A refused request is in the console too; what the page makes of it is looked at.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      page.problems.push(message.text());
    }
  });
  return page;
}

export async function signIn(page, url, name, password = name) {
  await page.goto(`${url}/login`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await press(page, page.getByRole("button", { name: "Sign in" }));
}

// Presses what leads to another page, and waits until that is there.
export async function press(page, control) {
  const there = page.waitForEvent("load");
  await control.click();
  await there;
}

// The list entry of the newest file with this name.
export const entry = (page, name) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) }).first();

// Uploads by choosing, as a person does, and waits for the list. Files are paths or `{ name, mimeType, buffer }`.
export async function upload(page, ...files) {
  await page.getByLabel("Upload files").setInputFiles(files);
  await press(page, uploadButton(page));
}

export const uploadButton = (page) => page.getByRole("button", { name: "Upload", exact: true });

export const text = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });

export async function addressOf(page, name) {
  const href = await entry(page, name).getByRole("link", { name: "Download" }).getAttribute("href");
  // The name at its end is for clients that save under it.
  assert.match(href, /^\/files\/[0-9a-f-]{36}\/[^/]+$/);
  return href;
}

// Opens one of the menus of an entry.
export async function openMenu(item, name) {
  await item.locator("summary", { hasText: name }).click();
}

// Makes a link from an entry's menu, as it stands there, and returns its address.
export async function makeLink(page, item) {
  await openMenu(item, "Link");
  await press(page, item.getByRole("button", { name: "Make a link" }));
  return page.getByLabel("Link", { exact: true }).inputValue();
}

// What `act` makes the page download.
export async function downloadBy(page, act) {
  const [download] = await Promise.all([page.waitForEvent("download"), act()]);
  const [name, content] = [download.suggestedFilename(), await fs.readFile(await download.path(), "utf8")];
  // Firefox would give the next of this name another one.
  await download.delete();
  return { name, content };
}

// Waits until `holds` does. For pages in which no script runs, not even a test's that would watch.
export async function until(page, holds) {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `in vain: ${holds}`);
    await page.waitForTimeout(20);
  }
}

export const isFirefox = (browser) => browser.browserType().name() === "firefox";
