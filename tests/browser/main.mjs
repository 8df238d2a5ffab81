// `node main.mjs BROWSER URL FOLDER MAX-UPLOAD [ACT]`: drives the demo at URL, which has been started afresh. Writes into
// FOLDER.

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

const [name, url, folder, maxUpload, only] = process.argv.slice(2);
const browser = await browsers[name]();
for (const act of ACTS[name]) {
  if (only && only !== act.name) continue;
  const started = Date.now();
  await act({ browser, url, folder, maxUpload: Number(maxUpload) });
  console.log(`${name} ${browser.version()}, ${act.name}: ${Date.now() - started} ms`);
}
await browser.close();
