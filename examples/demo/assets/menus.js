// Menus close when one goes on elsewhere, and by Escape. Without this script they close only as they open.
"use strict";

(() => {
  const opened = () => document.querySelector("details[open]");

  document.addEventListener("click", (event) => {
    const menu = opened();
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = opened();
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
