// A person's first minute: signing in, looking, uploading, sharing, a link, signing out.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import path from "node:path";

import { downloadBy, entry, isFirefox, makeLink, openMenu, openPage, press, signIn, text, upload, uploadButton } from "./site.mjs";

export async function firstMinute({ browser, url, folder, maxUpload }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  await page.goto(url);
  assert.equal(new URL(page.url()).pathname, "/login");
  await signIn(page, url, "alice", "wrong");
  assert.match(await page.getByRole("alert").innerText(), /do not go together/);
  await page.getByLabel("Password").fill("alice");
  await press(page, page.getByRole("button", { name: "Sign in" }));
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  assert.match(await page.locator(".banner").innerText(), /^Delivered by stream\..* sent .* of file content itself/s);
  await seesThumbnails(page);

  await chooses(page, folder, maxUpload);
  await drops(page, path.join(folder, "dropped.txt"));
  const download = () => entry(page, "dropped.txt").getByRole("link", { name: "Download" }).click();
  isDropped(await downloadBy(page, download));
  await shares(page);
  const link = await makeLink(page, entry(page, "dropped.txt"));
  await redeems(browser, link);

  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("status").getByText("Copied.").waitFor();
  await press(page, page.getByRole("link", { name: "Back to the files" }));
  await press(page, page.getByRole("button", { name: "Sign out" }));
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goBack();
  await page.reload();
  assert.equal(new URL(page.url()).pathname, "/login", "signed out is signed out");
  await bobSees(browser, url);
  assert.deepEqual(page.problems, []);
  await context.close();
}

async function seesThumbnails(page) {
  assert.equal(await page.locator("img.thumbnail").count(), 1, "of the one picture among the samples");
  await page.waitForFunction(() =>
    [...document.querySelectorAll("img.thumbnail")].every((image) => image.complete && image.naturalWidth > 0));
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
  assert.equal(await page.locator("#upload-status").getAttribute("role"), "status", "it is read out");
  await upload(page, large);
  await entry(page, "large.bin").waitFor();
  const told = JSON.parse(await page.evaluate(() => sessionStorage.getItem("told")));
  assert.ok(told.some(({ shown, status }) => shown && /^large\.bin: \d+ %$/.test(status)), JSON.stringify(told));
  await page.getByRole("status").getByText("large.bin is uploaded.").waitFor();
  assert.ok(told.every(({ value }, index) => index === 0 || value >= told[index - 1].value), "it only grows");

  await upload(page, text("one.txt", "1"), text("two.txt", "2"));
  for (const name of ["one.txt", "two.txt"]) await entry(page, name).waitFor();
  await page.getByRole("status").getByText("2 files are uploaded.").waitFor();

  const tooLarge = path.join(folder, "too-large.bin");
  await fs.writeFile(tooLarge, Buffer.alloc(maxUpload + 1));
  await page.getByLabel("Upload files").setInputFiles(tooLarge);
  await uploadButton(page).click();
  await page.getByRole("status").filter({ hasText: "too-large.bin is larger than" }).waitFor();
  assert.ok(await uploadButton(page).isEnabled(), "and another can be tried");

  const good = path.join(folder, "good.txt");
  await fs.writeFile(good, "good");
  await upload(page, good, tooLarge);
  await entry(page, "good.txt").waitFor();
  await page.getByRole("status").getByText("1 of 2 files are uploaded.").waitFor();
}

async function drops(page, file) {
  await fs.writeFile(file, "dropped here");
  const dragged = isFirefox(page.context().browser()) ? draggedByScript : draggedFromFolder;
  const step = await dragged(page, file);
  await step("dragEnter");
  await step("dragOver");
  await page.locator("#upload.over").waitFor();
  const there = page.waitForEvent("load");
  await step("drop");
  await there;
  await entry(page, path.basename(file)).waitFor();
}

// As if it came from a window of files beside the browser.
async function draggedFromFolder(page, file) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [file], dragOperationsMask: 1 };
  return (type) => session.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
}

async function draggedByScript(page, file) {
  const dataTransfer = await page.evaluateHandle(([name, content]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], name, { type: "text/plain" }));
    return transfer;
  }, [path.basename(file), await fs.readFile(file, "utf8")]);
  return (type) => page.dispatchEvent("main", type.toLowerCase(), { dataTransfer });
}

function isDropped(download) {
  assert.deepEqual(download, { name: "dropped.txt", content: "dropped here" });
}

async function shares(page) {
  const item = entry(page, "dropped.txt");
  for (const [name, then] of [
    ["nobody", "There is nobody of that name here."],
    ["bob", "Shared with bob"],
  ]) {
    await openMenu(item, "Share");
    await item.getByLabel("Share with").fill(name);
    await press(page, item.getByRole("button", { name: "Share" }));
    await page.getByText(then).waitFor();
    const back = page.getByRole("link", { name: "Back to the files" });
    if (await back.count()) await press(page, back);
  }
  await item.getByText("Shared with bob").waitFor();
}

// Somebody else, who is not signed in.
async function redeems(browser, link) {
  const context = await browser.newContext();
  const page = await openPage(context);
  for (let looks = 0; looks < 3; looks += 1) await page.goto(link);
  isDropped(await downloadBy(page, () => page.getByRole("button", { name: "Download" }).click()));
  await context.close();

  const late = await browser.newContext();
  const lateness = await openPage(late);
  await lateness.goto(link);
  await press(lateness, lateness.getByRole("button", { name: "Download" }));
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
