"""Draw the pictures of the pages in ``docs/pictures``, from an invented history; it needs ``chromium``.

It starts a simulated AiTEMS and a daemon: ``PYTHONPATH=. python scripts/page_pictures.py``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen

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
REFUSING_RECEIVER: Final = """
[receiver.search-jobs]
kind = "webhook"
url = "http://127.0.0.1:{api}/jobs"
"""
KEYS: Final = {"NCP_ACCESS_KEY": "a-key", "NCP_SECRET_KEY": "a-secret"}
COMMAND: Final = (sys.executable, "-m", "watcher")
SILENCE: Final = ("type=pop", "--for", "4h", "--why", "moving the data to another bucket", "--by", "mina")
# With this seed and share, a problem is open.
HISTORY: Final = (
    *("--history", "40", "--services", "7", "--seed", "5", "--failures", "0.12"),
    *("--into", "{folder}/history.db", "--serve"),
)
CHANGING: Final = ("--services", "4", "--seed", "5", "--failures", "0.5", "--pace", "2s")
REFUSED: Final = 4
"""The deliveries on the picture that the receiver refuses."""
NAMES: Final = ("account", "service", "training_type", "version")
SIZES: Final = {
    "page-overview": (1280, 1500),
    "page-service": (1280, 1250),
    "page-training": (1280, 1250),
    "page-deliveries": (1280, 900),
    "page-silences": (1280, 900),
}
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
    with running(CONFIG, *HISTORY) as watcher:
        failed = let_one_fail(watcher)
        take("page-overview", watcher.url)
        take("page-service", f"{watcher.url}/service/{failed['account']}/{failed['service']}")
        take("page-training", "/".join((watcher.url, "training", *(failed[name] for name in NAMES))))
        picture(watcher.url, FOLDER / "page-phone.png", 390, 1200)
    with running(CONFIG + REFUSING_RECEIVER, *CHANGING) as watcher:
        waiting = f"{watcher.url}/api/v1/deliveries?receiver=search-jobs"
        wait_until(lambda: len(json.loads(read(waiting))["deliveries"]) >= REFUSED, "the receiver refuses too little")
        take("page-deliveries", f"{watcher.url}/deliveries")
        command = [*COMMAND, "silence", "add", *SILENCE, "--config", str(watcher.config)]
        subprocess.run(command, check=True, env=environment())  # noqa: S603 - our own command
        take("page-silences", f"{watcher.url}/silences")


def let_one_fail(watcher: Watcher) -> Mapping[str, str]:
    """Let the training of a type in progress fail; return it when its alert was delivered."""
    trainings = json.loads(read(f"{watcher.url}/api/v1/trainings?phase=in-progress"))["trainings"]
    training: Mapping[str, str] = next(item for item in trainings if item["status"] == "learning")
    place = f"services/{training['service']}/trains/{training['training_type']}/versions/{training['version']}"
    body = json.dumps({"status": "learningFailed"}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{watcher.api_url}/_control/{place}", body, headers, method="PUT")):  # noqa: S310 - our own simulator
        pass
    delivered = f"{watcher.url}/api/v1/deliveries?state=delivered"
    wait_until(lambda: json.loads(read(delivered))["deliveries"], "no alert was delivered")
    return training


@dataclass(frozen=True, slots=True)
class Watcher:
    """A daemon that runs."""

    url: str
    """The address of its pages."""
    api_url: str
    """The address of its simulated AiTEMS."""
    config: Path
    """Its configuration."""


@contextmanager
def running(config: str, *simulated: str) -> Iterator[Watcher]:
    """Run a simulated AiTEMS and a daemon."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, api, web = Path(name), free_port(), free_port()
        keys = ("--access-key", KEYS["NCP_ACCESS_KEY"], "--secret-key", KEYS["NCP_SECRET_KEY"])
        words = [word.format(folder=folder) for word in simulated]
        stack.enter_context(program("simulate", *words, "--port", str(api), *keys))
        file = folder / "config.toml"
        file.write_text(config.format(web=web, api=api))
        api_url = f"http://127.0.0.1:{api}"
        wait_for(f"{api_url}/_control")
        stack.enter_context(program("run", "--config", str(file)))
        url = f"http://127.0.0.1:{web}"
        wait_for(f"{url}/healthz")
        wait_until(lambda: is_polled(json.loads(read(f"{url}/api/v1/status"))), "some polls have no answer")
        yield Watcher(url, api_url, file)


@contextmanager
def program(*args: str) -> Iterator[None]:
    """Run a command of ours while the block runs."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *args],
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


def take(name: str, url: str) -> None:
    """Take the picture of this name."""
    picture(url, FOLDER / f"{name}.png", *SIZES[name])


def picture(url: str, path: Path, width: int, height: int) -> None:
    """Take a picture of a page."""
    size = f"--window-size={width},{height}"
    subprocess.run([*CHROMIUM, size, f"--screenshot={path}", url], check=True, capture_output=True)  # noqa: S603 - see above


def read(url: str) -> str:
    """Return a page."""
    with urlopen(url) as answer:  # noqa: S310 - our own daemon
        return str(answer.read().decode())


def wait_for(url: str) -> None:
    """Wait until an address answers."""

    def answers() -> bool:
        try:
            read(url)
        except URLError:
            return False
        return True

    wait_until(answers, f"{url} does not answer")


def is_polled(status: Mapping[str, object]) -> bool:
    """Return whether everything was polled since the start, so that the pages know every service."""
    return status["condition"] in {"ok", "not-ok"}


def wait_until(condition: Callable[[], object], otherwise: str) -> None:
    """Wait half a minute until a condition holds."""
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit(f"{otherwise} after half a minute")


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
