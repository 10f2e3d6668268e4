"""Draw the pictures of the pages in ``docs/pictures``, from an invented history; it needs ``chromium``.

It starts a simulated AiTEMS and a daemon: ``PYTHONPATH=. python scripts/page_pictures.py``.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"
CONFIG: Final = """
[state]
url = "sqlite:///history.db"
[web]
listen = "127.0.0.1:{web}"
[account.main]
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}
base_url = "http://127.0.0.1:{api}/api/v1"
requests_per_second = 50
[[watch]]
service = "*"
labels = {{ team = "search", env = "prod" }}
[receiver.ml-ops]
kind = "log"
"""
KEYS: Final = {"NCP_ACCESS_KEY": "a-key", "NCP_SECRET_KEY": "a-secret"}
SIZES: Final = {"page-overview": (1280, 1500), "page-service": (1280, 1250), "page-training": (1280, 1250)}
CHROMIUM: Final = (
    *(
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)


def main() -> None:
    """Take the pictures."""
    with running() as url:
        text = read(url)
        paths = {
            "page-overview": "/",
            "page-service": found(r'href="(/service/[^"]+)"', text),
            "page-training": found(r'class="rows s ends">.*?href="(/training/[^"]+)"', text),
        }
        for name, path in paths.items():
            width, height = SIZES[name]
            picture(url + path, FOLDER / f"{name}.png", width, height)
        picture(url, FOLDER / "page-phone.png", 390, 1200)


@contextmanager
def running() -> Iterator[str]:
    """Run a simulated AiTEMS and a daemon; yield the address of the pages."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, api, web = Path(name), free_port(), free_port()
        keys = ("--access-key", KEYS["NCP_ACCESS_KEY"], "--secret-key", KEYS["NCP_SECRET_KEY"])
        # With this seed and share, a problem is open.
        invented = ("--history", "40", "--services", "7", "--seed", "5", "--failures", "0.12")
        history = [*invented, "--into", str(folder / "history.db"), "--serve"]
        stack.enter_context(program("simulate", *history, "--port", str(api), *keys))
        (folder / "config.toml").write_text(CONFIG.format(web=web, api=api))
        wait_for(f"http://127.0.0.1:{api}/_control")
        stack.enter_context(program("run", "--config", str(folder / "config.toml")))
        url = f"http://127.0.0.1:{web}"
        wait_for(f"{url}/healthz")
        wait_for_polls(f"{url}/api/v1/status")
        yield url


@contextmanager
def program(*args: str) -> Iterator[None]:
    """Run a command of ours while the block runs."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "watcher", *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def environment() -> dict[str, str]:
    """Return the environment of a command: the keys of the simulated AiTEMS, and a zone."""
    return {**os.environ, **KEYS, "TZ": "Asia/Seoul"}


def picture(url: str, path: Path, width: int, height: int) -> None:
    """Take a picture of a page."""
    size = f"--window-size={width},{height}"
    subprocess.run([*CHROMIUM, size, f"--screenshot={path}", url], check=True, capture_output=True)  # noqa: S603 - see above


def read(url: str) -> str:
    """Return a page."""
    with urlopen(url) as answer:  # noqa: S310 - our own daemon
        return str(answer.read().decode())


def found(pattern: str, text: str) -> str:
    """Return the first group of the first match."""
    match = re.search(pattern, text, re.DOTALL)
    if match is None:
        raise SystemExit(f"no {pattern} on the page")
    return match[1]


def wait_for(url: str) -> None:
    """Wait until an address answers."""
    for _ in range(300):
        try:
            read(url)
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not answer")


def wait_for_polls(url: str) -> None:
    """Wait until each poll has an answer, so that the pages know every service."""
    for _ in range(300):
        polls = json.loads(read(url))["polls"]
        if polls and all(poll["answered_at"] for poll in polls):
            return
        time.sleep(0.1)
    raise SystemExit("some polls have no answer after half a minute")


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
