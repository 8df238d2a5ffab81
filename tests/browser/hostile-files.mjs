// Whatever somebody uploads, no script of theirs runs at this site: opened directly, downloaded, framed or embedded.

import assert from "node:assert/strict";

import { addressOf, openPage, signIn, upload } from "./site.mjs";

const SCRIPT = "fetch('/healthz?ran'); document.title = 'ran'; top.postMessage('ran', '*'); alert('ran');";
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script></svg>`;
const XHTML = `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title><script>${SCRIPT}</script></head><body/></html>`;
const HTML = `<!doctype html><title>x</title><img src="x" onerror="${SCRIPT}"><script>${SCRIPT}</script>`;

const FILES = [
  ["page.html", "text/html", HTML],
  ["drawing.svg", "image/svg+xml", SVG],
  ["page.xhtml", "application/xhtml+xml", XHTML],
  ["page.xml", "text/xml", XHTML],
  ["script.js", "text/javascript", SCRIPT],
  ["module.mjs", "text/javascript", SCRIPT],
  ["page.txt", "text/html", HTML],
  ["page.pdf", "application/pdf", HTML],
  ["page.jpg", "image/jpeg", HTML],
  ["drawing.png", "image/svg+xml", SVG],
  ["page.mp4", "video/mp4", HTML],
  ["page", "text/html", HTML],
  ["page.html.", "text/html", HTML],
  ["page.shtml", "text/html", HTML],
  ["page.mht", "multipart/related", HTML],
];

// Each way to make a browser take a file for a document or a script.
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
  await upload(page, ...FILES.map(([name, mimeType, content]) => ({ name, mimeType, buffer: Buffer.from(content) })));
  const addresses = [];
  for (const [name] of FILES) {
    const address = await addressOf(page, name);
    addresses.push([name, address], [name, `${address}?inline=1`]);
  }

  for (const [name, address] of addresses) {
    const tab = await context.newPage();
    // A download is no navigation, which is how it ends then.
    const went = await tab.goto(url + address).catch((error) => String(error));
    if (typeof went !== "string") {
      assert.notEqual(await tab.title(), "ran", name);
      assert.match(went.headers()["content-security-policy"] ?? "", /^sandbox(;| allow-same-origin;)/, name);
    } else {
      assert.match(went, /Download is starting|ERR_ABORTED/, name);
    }
    await tab.close();
  }

  // A page of this very site that has no policy of its own, so that nothing else keeps the scripts away.
  const host = await openPage(context);
  await host.goto(`${url}/healthz`);
  await host.evaluate(async ({ addresses, markups }) => {
    window.ran = [];
    addEventListener("message", ({ data }) => window.ran.push(data));
    for (const markup of markups) document.body.insertAdjacentHTML("beforeend", markup);
    for (const address of addresses) {
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
    }
  }, {
    addresses: addresses.map(([, address]) => address),
    markups: addresses.flatMap(([, address]) => EMBEDDINGS.map((embed) => embed(address))),
  });
  await host.waitForLoadState("networkidle");
  assert.deepEqual(await host.evaluate(() => window.ran), []);
  assert.deepEqual(ran, []);

  // The watch itself works: what the site's own page did would be seen.
  await host.evaluate(() => fetch("/healthz?ran"));
  assert.equal(ran.length, 1);
  await context.close();
}
