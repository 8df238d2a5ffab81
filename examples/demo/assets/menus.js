// Menus close when one goes on elsewhere, by pointer or by keyboard, and by Escape. What opens below the window scrolls into view.
// Without this script they close only as they open.
"use strict";

(() => {
  const opened = () => document.querySelector("details[open]");

  for (const left of ["click", "focusin"]) {
    document.addEventListener(left, (event) => {
      const menu = opened();
      if (menu && !menu.contains(event.target)) menu.open = false;
    });
  }
  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector(".panel")?.scrollIntoView({ block: "nearest" });
  }, true);
  document.addEventListener("keydown", (event) => {
    const menu = opened();
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
