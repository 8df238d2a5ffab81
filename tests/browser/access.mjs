// For everybody: by ear, on a phone, in the dark, by keyboard.

import assert from "node:assert/strict";
import fs from "node:fs";

import { visitPages } from "./pages.mjs";
import { entry, openPage, requireTool, text } from "./site.mjs";

const AXE = fs.readFileSync(requireTool.resolve("axe-core/axe.min.js"), "utf8");
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

export async function access(site) {
  await everyPage(site);
  await byKeyboard(site);
}

async function everyPage({ browser, ...site }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await visitPages({ page, ...site }, async (name) => {
    await page.evaluate(AXE);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const viewport of [DESKTOP, PHONE]) {
        await page.setViewportSize(viewport);
        await look(page, `${name}, ${colorScheme}, ${viewport.width} pixels`);
      }
    }
    await page.setViewportSize({ ...PHONE, width: 320 });
    await fits(page, `${name}, 320 pixels`);
  });
  assert.deepEqual(page.problems, []);
  await context.close();
}

async function look(page, what) {
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, impact, nodes }) => `${impact}, ${id}: ${nodes.map(({ html }) => html)}`);
  assert.deepEqual(told, [], what);
  await fits(page, what);
}

// Whether nothing sticks out to the side.
export async function fits(page, what) {
  const [needed, given] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(needed <= given, `${what}: needs ${needed} of ${given} pixels`);
}

async function byKeyboard({ browser, url }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  const { keyboard } = page;
  await page.goto(`${url}/login`);
  // The name has the focus by itself.
  await page.waitForFunction(() => document.activeElement.name === "username");
  await keyboard.type("alice");
  await keyboard.press("Tab");
  await keyboard.type("alice");
  await leads(page, () => keyboard.press("Enter"));

  // Watched for before the key is pressed: until it is, the browser opens a window of its own.
  const chooser = page.waitForEvent("filechooser");
  await tabTo(page, page.getByLabel("Upload files"));
  await keyboard.press("Enter");
  await (await chooser).setFiles(text("by-keyboard.txt", "typed"));
  await tabTo(page, page.getByRole("button", { name: "Upload", exact: true }));
  await leads(page, () => keyboard.press("Enter"));

  const item = entry(page, "by-keyboard.txt");
  await tabTo(page, item.getByRole("link", { name: "Download" }));
  const [download] = await Promise.all([page.waitForEvent("download"), keyboard.press("Enter")]);
  assert.equal(download.suggestedFilename(), "by-keyboard.txt");

  const share = item.locator("summary", { hasText: "Share" });
  await tabTo(page, share);
  await keyboard.press("Enter");
  await tabTo(page, item.getByLabel("Share with"));
  await keyboard.press("Escape");
  assert.ok(await share.evaluate((element) => element === document.activeElement), "out of the menu");
  assert.equal(await page.locator("details[open]").count(), 0);
  await keyboard.press("Enter");
  await tabTo(page, item.getByLabel("Share with"));
  await keyboard.type("bob");
  await leads(page, () => keyboard.press("Enter"));
  await item.getByText("Shared with bob").waitFor();

  await tabTo(page, item.locator("summary", { hasText: "Link" }));
  await keyboard.press("Space");
  await tabTo(page, item.getByRole("button", { name: "Make a link" }));
  await leads(page, () => keyboard.press("Space"));
  await tabTo(page, page.getByRole("link", { name: "Back to the files" }));
  await leads(page, () => keyboard.press("Enter"));

  await tabTo(page, item.locator("summary", { hasText: "Delete" }));
  await keyboard.press("Enter");
  await tabTo(page, item.getByRole("button", { name: "Delete for good" }));
  await leads(page, () => keyboard.press("Enter"));
  assert.equal(await item.count(), 0);
  await tabTo(page, page.getByRole("button", { name: "Sign out" }));
  await leads(page, () => keyboard.press("Enter"));
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await context.close();
}

async function leads(page, press) {
  const there = page.waitForEvent("load");
  await press();
  await there;
}

// Goes to a control as far as the key Tab leads. Each stop on the way must be seen.
async function tabTo(page, control) {
  const isThere = () => control.evaluate((element) => element === document.activeElement);
  for (let presses = 0; !(await isThere()); presses += 1) {
    assert.ok(presses < 30, `not reached: ${control}`);
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const focused = document.activeElement;
      if (focused === document.body) return "";
      const { left, top, width, height } = focused.getBoundingClientRect();
      const topmost = document.elementFromPoint(left + width / 2, top + height / 2);
      if (!topmost || !(focused.contains(topmost) || topmost.contains(focused))) return `covered: ${focused.outerHTML}`;
      return getComputedStyle(focused).outlineStyle === "none" ? `not marked: ${focused.outerHTML}` : "";
    });
    assert.equal(seen, "");
  }
}
