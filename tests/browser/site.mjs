// A visitor's browser at the demo.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const requireTool = createRequire(path.join(root, "target/tools/npm/node_modules/"));
export const testData = path.join(root, "tests/data");

const { chromium } = requireTool("playwright-core");

// Without these, Chromium asks its makers' hosts for many things.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const launch = (options = {}) =>
  chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS, ...options });

export const launchWithProfile = (folder, options = {}) =>
  chromium.launchPersistentContext(folder, { executablePath: "/usr/bin/chromium", args: FLAGS, ...options });

// A page that fails the test when a script breaks or the browser refuses something of the site's own.
export async function openPage(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
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
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForLoadState();
}

// The list entry of the newest file with this name.
export const entry = (page, name) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) }).first();

// Uploads by choosing, as a person does, and waits for the list. Files are paths or `{ name, mimeType, buffer }`.
export async function upload(page, ...files) {
  await page.getByLabel("Upload a file").setInputFiles(files);
  const listed = page.waitForEvent("framenavigated");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await listed;
  await page.waitForLoadState();
}

export const text = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });

export async function addressOf(page, name) {
  const href = await entry(page, name).getByRole("link", { name: "Download" }).getAttribute("href");
  assert.match(href, /^\/files\/[0-9a-f-]{36}$/);
  return href;
}

// Opens one of the menus of an entry.
export async function openMenu(item, name) {
  await item.locator("summary", { hasText: name }).click();
}
