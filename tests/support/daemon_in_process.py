"""The real daemon in the process of the test, with a real store, simulator and HTTP receivers."""

from __future__ import annotations

import asyncio
import base64
import io
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

from tests.support.accounts import account_table
from tests.support.invariants import DaemonRun, Evidence, LedgerEntry
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from watcher import config
from watcher.app import Daemon, Runtime, open_daemon
from watcher.clock import Clock
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY
from watcher.store.url import sqlite_url
from watcher.store.views import EventHistory, HistoryFilter, open_views

WEBHOOK_SECRET: Final = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

ENVIRON: Final = {
    "NCP_ACCESS_KEY": SIMULATOR_ACCESS_KEY,
    "NCP_SECRET_KEY": SIMULATOR_SECRET_KEY,
    "WEBHOOK_SECRET": WEBHOOK_SECRET,
}

OTHER_TABLES: Final = """
[delivery]
first_retry = "200ms"
max_retry = "1s"
flap_limit = 100000

[state]
url = "sqlite:///watcher.db"

[web]
listen = ""
"""

WATCH: Final = """
[[watch]]
service = "{service}"
interval = "200ms"
idle_interval = "200ms"
"""

HOOK: Final = """
[receiver.{name}]
kind = "webhook"
url = "{url}"
secret = {{ env = "WEBHOOK_SECRET" }}
"""

SLACK: Final = """
[receiver.{name}]
kind = "slack-webhook"
url = {{ env = "SLACK_URL" }}
"""

ALL_KINDS: Final = """
[[route]]
match = {{ kind = "*" }}
to = [{receivers}]
"""


def base_settings(base_url: str) -> str:
    """Return a configuration without watches and receivers."""
    return account_table(base_url, "requests_per_second = 100.0", 'timeout = "2s"') + OTHER_TABLES


def settings(base_url: str, services: list[str], hooks: Mapping[str, str], *, slack: bool = False) -> str:
    """Return a configuration that watches services and sends all events to webhooks, and to Slack if asked."""
    names = [*hooks, *(["chat"] if slack else [])]
    parts = [base_settings(base_url)]
    parts += [WATCH.format(service=service) for service in services]
    parts += [HOOK.format(name=name, url=url) for name, url in hooks.items()]
    parts += [SLACK.format(name="chat")] if slack else []
    parts += [ALL_KINDS.format(receivers=", ".join(f'"{name}"' for name in names))]
    return "".join(parts)


@asynccontextmanager
async def running(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Daemon]:
    """Run the daemon with this configuration while the block runs, then stop it gracefully."""
    loaded = config.load(folder / "config.toml", text=text)
    runtime = Runtime(
        environ={**ENVIRON, **(environ or {})}, redactor=Redactor(), clock=Clock(), output=LineWriter(io.StringIO())
    )
    async with open_daemon(loaded, runtime, purpose="test") as daemon:
        stop = asyncio.Event()
        task = asyncio.create_task(daemon.run(stop))
        try:
            async with asyncio.timeout(120):
                await daemon.poller.first_round.wait()
            yield daemon
        finally:
            stop.set()
            await task


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds; the time limit only ends a hanging test."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def history(folder: Path) -> list[EventHistory]:
    """Return all recorded events with their deliveries."""
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return views.history(HistoryFilter(limit=1_000_000))


def ledger(folder: Path, name: str = "watcher.db") -> list[LedgerEntry]:
    """Return the entries of the ledger."""
    with closing(sqlite3.connect(folder / name)) as connection:
        rows = connection.execute("SELECT event_id, receiver, delivery_id, ending FROM ledger")
        return [LedgerEntry(*row) for row in rows]


def epoch(folder: Path) -> str:
    """Return the store's epoch."""
    with closing(sqlite3.connect(folder / "watcher.db")) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])


def evidence(
    folder: Path, shown: Sequence[ShownAnswer], runs: Sequence[DaemonRun], received: Mapping[str, Sequence[Received]]
) -> Evidence:
    """Return the input of the checker, for a configuration with one route to all receivers."""
    receivers = frozenset(received)
    return Evidence(
        shown=shown,
        runs=runs,
        announced=history(folder),
        received=received,
        epoch=epoch(folder),
        ledger=ledger(folder),
        # A receiver gets no events about itself.
        routed=lambda event: receivers if event.receiver is None else receivers - {event.receiver.name},
    )
