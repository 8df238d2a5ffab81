// Upload with a progress bar and by drag and drop. Without this script the form works as any other.
"use strict";

(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const input = document.getElementById("file");
  const button = form.querySelector("button");
  const bar = document.getElementById("upload-progress");
  const status = document.getElementById("upload-status");
  const limit = Number(form.dataset.maxUpload);
  let busy = false;

  // What the server's page says, as plain text.
  const detail = (markup) =>
    new DOMParser().parseFromString(markup, "text/html").getElementById("detail")?.textContent;

  const send = (file, label) =>
    new Promise((resolve, reject) => {
      if (file.size > limit) {
        reject(`${file.name} is larger than ${form.dataset.maxUploadText}.`);
        return;
      }
      const request = new XMLHttpRequest();
      let announced = -1;
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        const percent = Math.floor((100 * event.loaded) / event.total);
        bar.value = percent;
        // A screen reader that is told every percent says nothing else.
        if (Math.floor(percent / 10) > announced) {
          announced = Math.floor(percent / 10);
          tell(`${label}: ${percent} %`, false);
        }
      });
      request.addEventListener("load", () => {
        // The browser has followed the redirection back to this page.
        if (request.status === 200) resolve();
        else reject(`${label}: ${detail(request.responseText) ?? "the upload failed."}`);
      });
      request.addEventListener("error", () => reject(`${label}: the connection broke off. Please try again.`));
      request.open("POST", form.action);
      const body = new FormData();
      body.append("file", file);
      request.send(body);
    });

  const tell = (text, isFailure) => {
    status.textContent = text;
    status.classList.toggle("failed", isFailure);
  };

  // The list must be fetched anew; what was told is told there.
  const tellInNewList = (text, isFailure) => {
    sessionStorage.setItem("upload", JSON.stringify([text, isFailure]));
    location.reload();
  };

  const start = async (files) => {
    if (busy || files.length === 0) return;
    busy = button.disabled = true;
    bar.hidden = false;
    let sent = 0;
    try {
      for (const file of files) {
        bar.value = 0;
        await send(file, files.length > 1 ? `${file.name} (${sent + 1} of ${files.length})` : file.name);
        sent += 1;
      }
      tellInNewList(sent > 1 ? `${sent} files are uploaded.` : `${files[0].name} is uploaded.`, false);
    } catch (message) {
      if (sent > 0) {
        tellInNewList(`${message} ${sent} of ${files.length} files are uploaded.`, true);
        return;
      }
      tell(message, true);
      bar.hidden = true;
      busy = button.disabled = false;
    }
  };

  const told = sessionStorage.getItem("upload");
  if (told) {
    sessionStorage.removeItem("upload");
    tell(...JSON.parse(told));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start([...input.files]);
  });

  const over = (is) => form.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(false);
    start([...event.dataTransfer.files]);
  });

  if (matchMedia("(pointer: fine)").matches) document.getElementById("upload-hint").append(" You can also drop files anywhere on this page.");
})();
