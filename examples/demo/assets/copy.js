// A button that copies the link. Without this script one marks and copies it.
"use strict";

(() => {
  const link = document.getElementById("link");
  const status = document.getElementById("copy-status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "primary";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    link.select();
    try {
      await navigator.clipboard.writeText(link.value);
      status.textContent = "Copied.";
      button.focus();
    } catch {
      status.textContent = "The browser does not let this page copy. The link is marked, so please copy it yourself.";
    }
  });
  status.before(button);
})();
