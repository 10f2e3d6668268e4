// Replaces the parts of a page that the server has rendered anew; without it, the page is complete as it is.
"use strict";
(() => {
  const source = document.body.dataset.live;
  const status = document.getElementById("live-status");
  if (!source || !status || !window.EventSource) return;
  const stream = new EventSource(source);
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  stream.addEventListener("part", (event) => {
    const part = new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild;
    const old = part && document.getElementById(part.id);
    // A part with the focus, or with an opened list, stays until its next change.
    if (!old || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
    old.replaceWith(part);
    say(status.dataset.changed);
  });
  stream.addEventListener("whole", () => { location.reload(); });
  stream.addEventListener("open", () => { status.classList.add("vh"); say(""); });
  stream.addEventListener("error", () => { status.classList.remove("vh"); say(status.dataset.lost); });
})();
