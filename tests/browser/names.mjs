// Odd names: what is uploaded under them comes back with every byte, under a name that is safe on a disk.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import path from "node:path";

import { fits } from "./access.mjs";
import { chromiumWithProfile, openPage, signIn, text, upload } from "./site.mjs";

// The name in the visitor's folder, and the name that Chromium gives the download. It replaces a leading dot itself. How much it keeps of a long one depends on
// the path of the folder.
const NAMES = [
  ["plain.txt"], ["with space.txt"], ["two  spaces.txt", "two spaces.txt"], ["Ünïcödé.txt"], ["日本語の名前.txt"], ["комета.txt"],
  ["עברית.txt"], ["emoji 😀.txt"], ["e\u0301 combined.txt", "\u00e9 combined.txt"], ["UPPER.TXT"], ["archive.tar.gz"], ["no-ending"],
  ["apostrophe's.txt"], ["semi;colon.txt"], ["comma,name.txt"], ["per%20cent.txt"], ["100%.txt"], ["a=b&c.txt"],
  ["#hash.txt"], ["plus+plus.txt"], ["(1).txt"], ["[brackets].txt"], ["{braces}.txt"], ["dollar$.txt"], ["at@.txt"],
  ["quote\"d.txt", "quote_d.txt"], ["back\\slash.txt", "back_slash.txt"], ["colon:name.txt", "colon_name.txt"], ["star*.txt", "star_.txt"], ["question?.txt", "question_.txt"], ["less<more>.txt", "less_more_.txt"],
  ["pipe|.txt", "pipe_.txt"], ["..dots.txt", "dots.txt"], [".hidden", /^[._]?hidden$/], ["trailing.", "trailing"], ["con.txt", "_con.txt"], ["tab\tname.txt", "tab name.txt"],
  ["turned\u202etxt.exe", "turnedtxt.exe"], ["zero\u200bwidth.txt", "zerowidth.txt"], [`${"long ".repeat(49)}.txt`, /^(long )+l?o?n?g?\.txt$/],
];

export async function names({ url, folder }) {
  const saved = path.join(folder, "names");
  await fs.mkdir(saved);
  const context = await chromiumWithProfile(path.join(folder, "profile"));
  const page = await openPage(context);
  const session = await context.newCDPSession(page);
  // Onto the disk as a person's browser does it, and not under the names that tests give.
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: saved, eventsEnabled: true });
  await signIn(page, url, "alice");
  const content = (name) => `the content of ${name}`;
  await upload(page, ...NAMES.map(([name]) => text(name, content(name))));
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page, "a list of odd names");
  const items = page.getByRole("listitem");
  for (const [index, [name, expected = name]] of NAMES.entries()) {
    const done = finished(session);
    // The newest comes first.
    await items.nth(NAMES.length - 1 - index).getByRole("link", { name: "Download" }).click();
    await done;
    const [onDisk, ...more] = await fs.readdir(saved);
    assert.deepEqual(more, []);
    if (expected instanceof RegExp) assert.match(onDisk, expected);
    else assert.equal(onDisk, expected);
    assert.equal(await fs.readFile(path.join(saved, onDisk), "utf8"), content(name));
    await fs.rm(path.join(saved, onDisk));
  }
  await context.close();
}

// The end of the next download.
function finished(session) {
  return new Promise((resolve, reject) => {
    const watch = ({ state }) => {
      if (state === "inProgress") return;
      session.off("Browser.downloadProgress", watch);
      (state === "completed" ? resolve : reject)(state);
    };
    session.on("Browser.downloadProgress", watch);
  });
}
