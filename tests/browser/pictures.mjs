// `node pictures.mjs PROGRAM FOLDER`: starts the demo PROGRAM and puts a picture of every page, desktop and phone, light and
// dark, into FOLDER.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

import { visitPages } from "./pages.mjs";
import { browsers, openPage } from "./site.mjs";

const SIZES = { desktop: { width: 1000, height: 700 }, phone: { width: 360, height: 700 } };
const MAX_UPLOAD = 20_000_000;

const [program, folder] = process.argv.slice(2);
const data = await fs.mkdtemp(path.join(os.tmpdir(), "pictures-"));
const users = ["alice", "bob", "carol"].flatMap((name) => ["--user", `${name}:${name}`]);
const demo = spawn(program, ["--listen", "127.0.0.1:0", "--data", path.join(data, "demo"), "--max-upload", MAX_UPLOAD, ...users], {
  stdio: ["ignore", "pipe", "ignore"],
});
try {
  const [ready] = await once(readline.createInterface(demo.stdout), "line");
  await takePictures(ready.replace("listening on ", ""));
} finally {
  demo.kill();
  await fs.rm(data, { recursive: true });
}

async function takePictures(url) {
  const browser = await browsers.chromium();
  const context = await browser.newContext();
  const page = await openPage(context);
  await visitPages({ page, url, folder: data, maxUpload: MAX_UPLOAD }, async (name) => {
    await alike(page);
    await picture(page, name);
  });
  await page.goto(url);
  const harbour = page.getByRole("link", { name: "Preview Harbour" });
  await page.goto(url + (await harbour.getAttribute("href")));
  await picture(page, "preview");
  await browser.close();
}

async function picture(page, name) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      const panel = page.locator("details[open] .panel");
      if (await panel.count()) await panel.scrollIntoViewIfNeeded();
      await page.waitForFunction(() => [...document.images].every((image) => image.complete));
      await page.screenshot({ path: path.join(folder, `${name}-${size}-${colorScheme}.png`) });
    }
  }
}

// What would differ from one time to the next is made the same: the link and the age of files.
async function alike(page) {
  await page.evaluate(() => {
    const link = document.getElementById("link");
    if (link) link.value = `http://127.0.0.1:8000/d/${"EXAMPLE".repeat(12)}`;
    for (const time of document.querySelectorAll("time")) time.textContent = "just now";
  });
}
