// A person's first minute: signing in, looking, uploading, sharing, a link, signing out.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import path from "node:path";

import { entry, openMenu, openPage, signIn, text, upload } from "./site.mjs";

export async function firstMinute({ browser, url, folder, maxUpload }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await page.goto(url);
  assert.equal(new URL(page.url()).pathname, "/login");
  await signIn(page, url, "alice", "wrong");
  assert.match(await page.getByRole("alert").innerText(), /do not go together/);
  await page.getByLabel("Password").fill("alice");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  assert.match(await page.locator(".banner").innerText(), /^Delivered by stream\./);

  await page.waitForLoadState();
  const thumbnails = page.locator("img.thumbnail");
  assert.ok((await thumbnails.count()) >= 1);
  await page.waitForFunction(() =>
    [...document.querySelectorAll("img.thumbnail")].every((image) => image.complete && image.naturalWidth > 0));

  await chooses(page, folder, maxUpload);
  await drops(page);
  await downloads(page, folder);
  const link = await shares(page);
  await redeems(browser, link, folder);
  await page.goto(url);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goBack();
  await page.reload();
  assert.equal(new URL(page.url()).pathname, "/login", "signed out is signed out");
  await bobSees(browser, url);
  assert.deepEqual(page.problems, []);
  await context.close();
}

async function chooses(page, folder, maxUpload) {
  const large = path.join(folder, "large.bin");
  await fs.writeFile(large, Buffer.alloc(maxUpload - 1000, 7));
  // What a sighted and what a listening visitor is told on the way.
  await page.evaluate(() => {
    const bar = document.getElementById("upload-progress");
    const status = document.getElementById("upload-status");
    const told = [];
    const look = () => told.push({ shown: !bar.hidden, value: bar.value, status: status.textContent });
    new MutationObserver(look).observe(document.getElementById("upload"), {
      attributes: true, childList: true, subtree: true, characterData: true,
    });
    addEventListener("pagehide", () => sessionStorage.setItem("told", JSON.stringify(told)));
  });
  await upload(page, large);
  await entry(page, "large.bin").waitFor();
  const told = JSON.parse(await page.evaluate(() => sessionStorage.getItem("told")));
  assert.ok(told.some(({ shown, status }) => shown && /^large\.bin: \d+ %$/.test(status)), JSON.stringify(told));
  assert.equal(told.at(-1).status, "Done.");
  assert.ok(told.every(({ value }, index) => index === 0 || value >= told[index - 1].value), "it only grows");

  await upload(page, text("one.txt", "1"), text("two.txt", "2"));
  for (const name of ["one.txt", "two.txt"]) await entry(page, name).waitFor();

  const tooLarge = path.join(folder, "too-large.bin");
  await fs.writeFile(tooLarge, Buffer.alloc(maxUpload + 1));
  await page.getByLabel("Upload a file").setInputFiles(tooLarge);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "too-large.bin is larger than" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Upload", exact: true }).isEnabled(), "and another can be tried");
}

async function drops(page) {
  const files = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["dropped here"], "dropped.txt", { type: "text/plain" }));
    return transfer;
  });
  await page.dispatchEvent("main", "dragover", { dataTransfer: files });
  assert.ok(await page.locator("#upload.over").isVisible(), "it shows where files go");
  await page.dispatchEvent("main", "drop", { dataTransfer: files });
  await entry(page, "dropped.txt").waitFor();
}

async function downloads(page, folder) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    entry(page, "dropped.txt").getByRole("link", { name: "Download" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "dropped.txt");
  const saved = path.join(folder, "dropped.txt");
  await download.saveAs(saved);
  assert.equal(await fs.readFile(saved, "utf8"), "dropped here");
}

async function shares(page) {
  const item = entry(page, "dropped.txt");
  await openMenu(item, "Share");
  await item.getByLabel("Share with").fill("nobody");
  await item.getByRole("button", { name: "Share" }).click();
  await page.getByText("There is nobody of that name here.").waitFor();
  await page.getByRole("link", { name: "Back to the files" }).click();
  await openMenu(item, "Share");
  await item.getByLabel("Share with").fill("bob");
  await item.getByRole("button", { name: "Share" }).click();
  await item.getByText("Shared with bob").waitFor();

  await openMenu(item, "Link");
  await item.getByRole("button", { name: "Make a link" }).click();
  return page.getByLabel("Link", { exact: true }).inputValue();
}

// Somebody else, who is not signed in.
async function redeems(browser, link, folder) {
  const context = await browser.newContext();
  const page = await openPage(context);
  for (let looks = 0; looks < 3; looks += 1) await page.goto(link);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download" }).click(),
  ]);
  const saved = path.join(folder, "by-link.txt");
  await download.saveAs(saved);
  assert.equal(download.suggestedFilename(), "dropped.txt");
  assert.equal(await fs.readFile(saved, "utf8"), "dropped here");
  await context.close();

  const late = await browser.newContext();
  const lateness = await openPage(late);
  await lateness.goto(link);
  await lateness.getByRole("button", { name: "Download" }).click();
  await lateness.getByText("This link is not good any more.").waitFor();
  await late.close();
}

async function bobSees(browser, url) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await signIn(page, url, "bob");
  const item = entry(page, "dropped.txt");
  await item.getByText("from alice").waitFor();
  assert.equal(await item.locator("summary").count(), 0, "only the owner shares and deletes");
  assert.equal(await entry(page, "large.bin").count(), 0);
  await context.close();
}
