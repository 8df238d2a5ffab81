// `node main.mjs URL FOLDER MAX-UPLOAD`: drives the demo at URL in Chromium. Writes into FOLDER.

import { access } from "./access.mjs";
import { firstMinute } from "./first-minute.mjs";
import { hostileFiles } from "./hostile-files.mjs";
import { names } from "./names.mjs";
import { pictures } from "./pictures.mjs";
import { previews } from "./previews.mjs";
import { launch } from "./site.mjs";

const [url, folder, maxUpload, only] = process.argv.slice(2);
const browser = await launch();
const site = { browser, url, folder, maxUpload: Number(maxUpload) };
for (const act of [firstMinute, names, previews, hostileFiles, access, pictures]) {
  if (only && act.name !== only) continue;
  const started = Date.now();
  await act(site);
  console.log(`${act.name}: ${Date.now() - started} ms`);
}
await browser.close();
