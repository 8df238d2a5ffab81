// Whatever somebody uploads, no script of theirs runs at this site: opened directly, framed or embedded, from the site itself
// and from others.

import assert from "node:assert/strict";

import { startForeignSite } from "./foreign.mjs";
import { addressOf, openPage, signIn, upload } from "./site.mjs";

const SCRIPT = "top.postMessage('ran', '*'); document.title = 'ran'; fetch('/healthz?ran'); alert('ran');";
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script></svg>`;
const XHTML = `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title><script>${SCRIPT}</script></head><body/></html>`;
const HTML = `<!doctype html><title>x</title><img src="x" onerror="${SCRIPT}"><script>${SCRIPT}</script>`;

const DOCUMENTS = [["text/html", HTML], ["image/svg+xml", SVG], ["application/xhtml+xml", XHTML]];

const DOWNLOADED = [
  ["page.html", ...DOCUMENTS[0]],
  ["drawing.svg", ...DOCUMENTS[1]],
  ["page.xhtml", ...DOCUMENTS[2]],
  ["page.xml", "text/xml", XHTML],
  ["script.js", "text/javascript", SCRIPT],
  ["module.mjs", "text/javascript", SCRIPT],
  ["page.pdf", "application/pdf", HTML],
  ["page.jpg", "image/jpeg", HTML],
  ["drawing.png", "image/svg+xml", SVG],
  ["page.mp4", "video/mp4", HTML],
  ["page", "text/html", HTML],
  ["site.html.", "text/html", HTML],
  ["page.shtml", "text/html", HTML],
  ["page.mht", "multipart/related", HTML],
  // Text is no picture, however it begins.
  ["picture.gif", "image/gif", `GIF89a=1;${SCRIPT}`],
];
// Shown, if one asks for it: as what they are.
const SHOWN = [
  ["page.txt", "text/html", HTML],
  ["text.txt", "text/html", `text\n${HTML}`],
  ["script.txt", "text/javascript", SCRIPT],
];

// Each way to make a browser take a file for a document.
const EMBEDDINGS = [
  (address) => `<iframe src="${address}"></iframe>`,
  (address) => `<iframe srcdoc="<iframe src='${address}'></iframe>"></iframe>`,
  (address) => `<object data="${address}" type="text/html"></object>`,
  (address) => `<object data="${address}" type="image/svg+xml"></object>`,
  (address) => `<embed src="${address}" type="image/svg+xml">`,
  (address) => `<img src="${address}">`,
];

export async function hostileFiles({ browser, url }) {
  const context = await browser.newContext();
  const ran = [];
  context.on("request", (request) => request.url().endsWith("?ran") && ran.push(request.url()));
  context.on("dialog", async (dialog) => {
    ran.push(dialog.message());
    await dialog.dismiss();
  });
  const page = await openPage(context);
  await signIn(page, url, "alice");
  const files = [...DOWNLOADED, ...SHOWN];
  await upload(page, ...files.map(([name, mimeType, content]) => ({ name, mimeType, buffer: Buffer.from(content) })));
  const addresses = [];
  // The list shows names as they are saved, without a dot at the end.
  for (const [name] of files) addresses.push(url + (await addressOf(page, name.replace(/\.$/, ""))));
  const documents = addresses.slice(0, DOCUMENTS.length);
  const inline = addresses.map((address) => `${address}?inline=1`);
  const shown = inline.slice(DOWNLOADED.length);

  for (const address of [...documents, ...inline]) await opens(page, address, shown.includes(address));

  const foreign = await startForeignSite(DOCUMENTS);
  const { port } = foreign.address();
  const dangerous = [...documents, ...documents.map((address) => `${address}?inline=1`), ...shown];
  for (const [place, embedded] of [
    // A page of this very site that has no policy of its own, so that nothing else keeps scripts away.
    [`${url}/healthz`, [...documents, ...inline]],
    // Another origin of the same site, for which browsers send the site's cookies along.
    [`http://127.0.0.1:${port}/`, dangerous],
    // Another site.
    [`http://localhost:${port}/`, dangerous],
  ]) {
    const reports = await embeds(context, place, embedded);
    assert.deepEqual([reports, ran], [[], []], place);
  }

  // The watch itself works: it sees the same documents run where nothing keeps them from it.
  for (const index of DOCUMENTS.keys()) {
    const reports = await embeds(context, `http://127.0.0.1:${port}/`, [`http://127.0.0.1:${port}/file${index}`]);
    assert.ok(reports.length > 0 && ran.length > 0, DOCUMENTS[index][0]);
    ran.length = 0;
  }
  foreign.close();
  await context.close();
}

async function opens(page, address, isShown) {
  // A download is no navigation, which is how it ends then.
  const answer = await page.goto(address).catch(() => null);
  assert.equal(answer !== null, isShown, address);
  assert.notEqual(await page.title(), "ran", address);
  if (isShown) assert.match(answer.headers()["content-security-policy"], /^sandbox;/, address);
}

// Embeds each address in a page at `place` in every way, and returns what reached that page.
async function embeds(context, place, addresses) {
  const host = await openPage(context);
  await host.goto(place);
  const watch = "<script>ran = []; addEventListener('message', ({ data }) => ran.push(data));</script>";
  const markup = addresses.flatMap((address) => EMBEDDINGS.map((embed) => embed(address)));
  // Ends when everything in it is there.
  await host.setContent([watch, ...markup].join("\n"));
  await host.evaluate((addresses) => Promise.all(addresses.map(async (address) => {
    for (const type of ["text/javascript", "module"]) {
      const script = document.createElement("script");
      script.type = type;
      script.src = address;
      const ended = new Promise((resolve) => { script.onload = script.onerror = resolve; });
      document.head.append(script);
      await ended;
    }
    await import(address).catch(() => {});
    await navigator.serviceWorker?.register(address).catch(() => {});
  })), addresses);
  const reports = await host.evaluate(() => ran);
  await host.close();
  return reports;
}
