// Every page as it looks, desktop and phone, light and dark. Into the folder that SCREENSHOTS names, if it is set.

import fs from "node:fs/promises";
import path from "node:path";

import { visitPages } from "./access.mjs";
import { openPage } from "./site.mjs";

const SIZES = { desktop: { width: 1100, height: 760 }, phone: { width: 360, height: 740 } };

export async function pictures({ browser, url }) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await fs.mkdir(folder, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await openPage(context);
      await visitPages(page, url, async (page, name) => {
        await page.waitForLoadState("networkidle");
        const panel = page.locator("details[open] .panel");
        if (await panel.count()) await panel.scrollIntoViewIfNeeded();
        await page.screenshot({ path: path.join(folder, `${name}-${size}-${colorScheme}.png`) });
      });
      await context.close();
    }
  }
}
