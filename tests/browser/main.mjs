// `node main.mjs URL FOLDER MAX-UPLOAD [BROWSER [ACT]]`: drives the demo at URL. Writes into FOLDER.

import fs from "node:fs/promises";
import path from "node:path";

import { access } from "./access.mjs";
import { firstMinute } from "./first-minute.mjs";
import { hostileFiles } from "./hostile-files.mjs";
import { names } from "./names.mjs";
import { previews } from "./previews.mjs";
import { refusals } from "./refusals.mjs";
import { browsers } from "./site.mjs";
import { withoutScripts } from "./without-scripts.mjs";

const ACTS = {
  // Looking at every page comes first, while the lists are short.
  chromium: [access, firstMinute, withoutScripts, refusals, previews, names, hostileFiles],
  firefox: [firstMinute, previews, hostileFiles],
};

const [url, folder, maxUpload, onlyBrowser, onlyAct] = process.argv.slice(2);
for (const [name, acts] of Object.entries(ACTS)) {
  if (onlyBrowser && onlyBrowser !== name) continue;
  const browser = await browsers[name]();
  const ownFolder = path.join(folder, name);
  await fs.mkdir(ownFolder);
  for (const act of acts) {
    if (onlyAct && onlyAct !== act.name) continue;
    const started = Date.now();
    await act({ browser, url, folder: ownFolder, maxUpload: Number(maxUpload) });
    console.log(`${name} ${browser.version()}, ${act.name}: ${Date.now() - started} ms`);
  }
  await browser.close();
}
