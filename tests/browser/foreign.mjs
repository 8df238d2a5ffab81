// Another site, on its own origin.

import http from "node:http";

// Serves `files`, each `[content type, content]`, at `/file0`, `/file1`, ..., and an empty page elsewhere. Its `close()` ends
// it.
export async function startForeignSite(files = []) {
  const server = http.createServer((request, response) => {
    const [type, content] = files[Number(request.url.replace("/file", ""))] ?? ["text/html", "<!doctype html><title>foreign</title>"];
    response.setHeader("Content-Type", type).end(content);
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  return server;
}
