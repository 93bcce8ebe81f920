// What a page is better with, and complete without: copying at a click, and work that is watched.
"use strict";

// <button data-copies="id" data-done="Copied" hidden>: shown where the browser can copy.
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    source.select();
    await navigator.clipboard.writeText(source.value);
    button.textContent = button.dataset.done;
  });
}

// <div data-watches="3">: asked for again every so many seconds, until the page comes without it.
// It is fetched instead of loaded anew: the reader stays where they are, and a page that looks by
// itself keeps nobody signed in.
const watched = document.querySelector("[data-watches]");

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.querySelector("[data-watches]");
      if (answer.ok && !now) {
        location.reload();
        return;
      }
      if (now) {
        watched.replaceChildren(...now.childNodes);
      }
    } catch {
      // The next look may find the server again.
    }
  }
  setTimeout(look, 1000 * Number(watched.dataset.watches));
}

if (watched) {
  setTimeout(look, 1000 * Number(watched.dataset.watches));
}
