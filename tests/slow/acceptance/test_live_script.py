"""The script of the live pages in a real Chromium, with a server that ends its streams as a test asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.acceptance.cli_support import eventually
from tests.slow.acceptance.test_pages_in_chromium import CHROMIUM, FLAGS
from tests.support.paths import ROOT
from watcher.web.html.live import event

SCRIPT: Final = (ROOT / "watcher" / "web" / "html" / "static" / "live.js").read_bytes()
PAGE: Final = b"""<!doctype html><title>a page</title><body data-live="/live">
<p id="live-time"><time>17:04:12</time></p>
<p class="vh" role="status" id="live-status" data-lost="lost at {time}" data-changed="changed"></p>
<script>
window.said = [];
const status = document.getElementById("live-status");
new MutationObserver(() => said.push(status.textContent)).observe(status, {childList: true});
</script><script src="/live.js"></script>"""
ENDS: Final = 2
"""Streams that end before one stays open."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


@contextmanager
def serving(last_event: str = "", ends: int = ENDS) -> Iterator[tuple[str, list[str]]]:
    """Serve the page; yield its address and the streams that were opened. The first of these end with an event."""
    streams, over = list[str](), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kinds = {"/": "text/html", "/live.js": "text/javascript", "/live": "text/event-stream"}
            self.send_response(200 if self.path in kinds else 404)
            self.send_header("Content-Type", kinds.get(self.path, "text/plain"))
            self.end_headers()
            if self.path == "/live":
                self._stream()
            else:
                self.wfile.write({"/": PAGE, "/live.js": SCRIPT}.get(self.path, b""))

        def _stream(self) -> None:
            streams.append(self.path)
            self.wfile.write(f"retry: 10\n\n{event('parts', 'live-time')}".encode())
            if len(streams) <= ends:
                self.wfile.write(last_event.encode())
            else:
                over.wait()

        def log_message(self, *_arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", streams
        finally:
            over.set()
            server.shutdown()


@pytest.mark.parametrize(
    ("last_event", "said"),
    [(event("again", ""), []), ("", ["lost at 17:04:12"])],
    ids=["as intended", "in the middle"],
)
def test_only_a_stream_that_ends_in_the_middle_is_a_lost_connection(last_event: str, said: list[str]) -> None:
    with serving(last_event) as (url, streams), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page()
        page.goto(url)
        eventually(lambda: len(streams) > ENDS)
        assert page.evaluate("window.said.filter((text) => text)")[:1] == said
        browser.close()


@contextmanager
def opened(url: str) -> Iterator[Page]:
    """Open the page with a faked clock; ``window.streams`` has its streams."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page()
        page.add_init_script(
            "window.streams = []; const Real = EventSource;"
            "window.EventSource = class extends Real { constructor(url) { super(url); streams.push(this); } };"
        )
        page.clock.install()
        page.goto(url)
        page.wait_for_function("streams[0].readyState === EventSource.OPEN")
        yield page
        browser.close()


def test_a_stream_that_stays_open_and_silent_is_a_lost_connection_and_another_is_opened() -> None:
    with serving(ends=0) as (url, streams), opened(url) as page:
        page.clock.fast_forward(30_000)
        eventually(lambda: len(streams) > 1)
        assert page.evaluate("window.said.filter((text) => text)") == ["lost at 17:04:12"]
        page.wait_for_function("streams[1].readyState === EventSource.OPEN")
        page.locator("#live-status.vh:empty").wait_for(state="attached")


def test_a_stream_that_only_says_that_the_watcher_is_alive_is_kept() -> None:
    with serving(ends=0) as (url, streams), opened(url) as page:
        for _ in range(3):
            page.clock.fast_forward(15_000)
            page.evaluate("streams[0].dispatchEvent(new MessageEvent('alive', {data: ''}))")
        assert page.evaluate("window.said") == []
        assert len(streams) == 1
