// Replaces the parts of a page that the server has rendered anew; without it, the page is complete as it is.
"use strict";
(() => {
  const RELOAD_AT_MOST_EVERY_MS = 10000;
  const CONNECT_AGAIN_MS = 10000;
  // The watcher sends something every five seconds.
  const SILENT_MS = 20000;
  const source = document.body.dataset.live;
  const status = document.getElementById("live-status");
  if (!source || !status || !window.EventSource) return;
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const waiting = new Map();
  const verdictOf = (part) => part.querySelector("h1")?.textContent;
  const replace = (part) => {
    const old = document.getElementById(part.id);
    if (!old || old.outerHTML === part.outerHTML) return;
    old.replaceWith(part);
    // Only the verdict is read aloud: ages change all the time.
    if (verdictOf(part) !== verdictOf(old)) say(verdictOf(part));
  };
  // Whether somebody has typed or chosen something that a form has not sent yet.
  const isTyped = (part) => [...part.querySelectorAll("input, textarea, option")].some((field) =>
    field.tagName === "OPTION" ? field.selected !== field.defaultSelected && field.index > 0
      : field.value !== field.defaultValue || field.checked !== field.defaultChecked);
  // A part with the focus, with an opened list or with something typed waits until it has none of them.
  const isOpened = (part) => [...part.querySelectorAll("details")].some((list) => list.open !== ("open" in list.dataset));
  const isUsed = (old) => old && (old.contains(document.activeElement) || isOpened(old) || isTyped(old));
  const replaceUnused = () => {
    for (const [id, part] of [...waiting]) {
      if (isUsed(document.getElementById(id))) continue;
      waiting.delete(id);
      replace(part);
    }
  };
  const receive = (event) => {
    const part = new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild;
    if (part) waiting.set(part.id, part);
    replaceUnused();
  };
  // Later than the click that took the focus away: it must not miss its target.
  const replaceLater = () => setTimeout(replaceUnused, 500);
  document.addEventListener("focusout", replaceLater);
  document.addEventListener("toggle", replaceLater, true);
  // A page that was loaded just now is not loaded again at once: a mistake here must not become a loop.
  let reloading;
  const reload = () => {
    clearTimeout(reloading);
    reloading = setTimeout(() => {
      if (!isTyped(document)) return location.reload();
      status.classList.remove("vh");
      say(status.dataset.changed);
      reload();
    }, Math.max(RELOAD_AT_MOST_EVERY_MS - performance.now(), 1000));
  };
  const compare = (event) => {
    const parts = [...document.querySelectorAll('[id^="live-"]')].filter((part) => part !== status);
    if (parts.map((part) => part.id).sort().join(" ") !== event.data) reload();
  };
  const connect = () => {
    const stream = new EventSource(source);
    let silence;
    const end = () => { clearTimeout(silence); stream.close(); };
    const sayLost = () => {
      status.classList.remove("vh");
      say(status.dataset.lost.replace("{time}", document.querySelector("#live-time time").textContent));
    };
    // A connection whose other side is gone may stay open for hours, and the browser says nothing.
    const expectMore = () => {
      clearTimeout(silence);
      silence = setTimeout(() => { end(); sayLost(); connect(); }, SILENT_MS);
    };
    for (const kind of ["open", "parts", "part", "title", "alive"]) stream.addEventListener(kind, expectMore);
    stream.addEventListener("parts", compare);
    stream.addEventListener("part", receive);
    stream.addEventListener("title", (event) => { document.title = event.data; });
    stream.addEventListener("whole", () => { end(); reload(); });
    stream.addEventListener("again", () => { end(); connect(); });
    stream.addEventListener("open", () => { status.classList.add("vh"); say(""); });
    stream.addEventListener("error", () => {
      sayLost();
      // The browser gives up after an answer such as a proxy's 502; the daemon may be back later.
      if (stream.readyState !== EventSource.CLOSED) return;
      end();
      setTimeout(connect, CONNECT_AGAIN_MS);
    });
    expectMore();
  };
  connect();
})();
