// What does not work says so on a page that a person understands, and leads on.

import assert from "node:assert/strict";

import { startForeignSite } from "./foreign.mjs";
import { openMenu, openPage, press, signIn, text, upload } from "./site.mjs";

export async function refusals({ browser, url }) {
  const context = await browser.newContext();
  const page = await openPage(context);
  const open = (address) => () => page.goto(url + address);

  const anonymous = await refused(page, open("/files/none"), 401, "Please sign in");
  await press(page, page.getByRole("link", { name: "Sign in" }));
  await page.getByRole("heading", { name: "Sign in" }).waitFor();

  await signIn(page, url, "alice");
  await upload(page, text("secret.txt", "alice's"));
  const id = (await page.getByRole("link", { name: "Download secret.txt" }).first().getAttribute("href")).split("/").slice(1, 3).join("/");
  for (const [address, status, heading, detail] of [
    ["/files/none", 404, "Nothing here", "never shared with you"],
    ["/nowhere", 404, "Nothing here", "no such page"],
    ["/upload", 405, "Not like this", "does not take such requests"],
  ]) {
    await refused(page, open(address), status, heading, detail);
    await press(page, page.getByRole("link", { name: "Back to the files" }));
  }

  await refused(page, open("/d/none"), 404, "Nothing here", "not good any more");
  await page.goto(url);
  const item = page.getByRole("listitem").first();
  for (const [menu, field, value, status, heading, detail] of [
    ["Share", "with", "", 400, "That did not arrive", "with whom"],
    ["Share", "with", "nobody", 422, "That did not work", "check the spelling"],
    ["Link", "uses", "1001", 422, "That did not work", "1 to 1000 uses"],
    ["Link", "uses", "many", 422, "That did not work", "1 to 1000 uses"],
    ["Link", "seconds", "0", 422, "That did not work", "1 second to 30 days"],
  ]) {
    const form = item.locator("details", { hasText: menu }).locator("form");
    await openMenu(item, menu);
    // What the browser would not send, or offer.
    const send = () => form.evaluate((form, [field, value]) => {
      form.elements[field].replaceWith(Object.assign(document.createElement("input"), { name: field, value }));
      form.submit();
    }, [field, value]);
    await refused(page, send, status, heading, detail);
    await press(page, page.getByRole("link", { name: "Back to the files" }));
  }
  await refused(page, () => page.locator("#upload").evaluate((form) => form.submit()), 400, "That did not arrive", "choose one");

  const foreign = await startForeignSite();
  for (const host of ["localhost", "127.0.0.1"]) {
    await page.goto(`http://${host}:${foreign.address().port}/`);
    const send = () => page.evaluate((address) => {
      document.body.innerHTML = `<form method="post" action="${address}"></form>`;
      document.forms[0].submit();
    }, `${url}/${id}/delete`);
    await refused(page, send, 403, "Not allowed", "came from another site");
  }
  foreign.close();
  await page.goto(url);
  await page.getByRole("heading", { name: "secret.txt" }).first().waitFor();

  // Somebody else's, one that never was: the same page.
  await signIn(page, url, "bob");
  const foreigner = await refused(page, open(`/${id}`), 404, "Nothing here");
  assert.equal(foreigner, await refused(page, open("/files/none"), 404, "Nothing here"));
  await press(page, page.getByRole("link", { name: "Back to the files" }));
  await press(page, page.getByRole("button", { name: "Sign out" }));
  assert.equal(anonymous, await refused(page, open(`/${id}`), 401, "Please sign in"));
  await context.close();
}

// Does what shall be refused, and returns the markup of the page that comes of it.
async function refused(page, act, status, heading, detail = "") {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().isNavigationRequest()),
    page.waitForEvent("load"),
    act(),
  ]);
  assert.equal(answer.status(), status, heading);
  await page.locator("main").getByRole("heading", { level: 1, name: heading }).waitFor();
  const said = await page.locator("#detail").innerText();
  assert.ok(said.length > 20 && said.includes(detail), said);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.match(await page.title(), new RegExp(`^${heading}.* · Private files$`));
  // The way back is all that the page says of its address.
  return (await page.content()).replace(/\?next=[^"]*/, "");
}
