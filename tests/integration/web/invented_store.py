"""A store with trainings, runs, events, deliveries and a silence, and the applications that serve it."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from tests.integration.cli.test_export import fill
from tests.integration.cli.test_stats import CONFIG, NOW, run_days_ago
from tests.integration.cli.test_status_runs import in_progress
from watcher import config
from watcher.core.batch import Batch
from watcher.core.health.problems import DaemonHealth, DaemonState
from watcher.core.routing.matcher import Matcher
from watcher.core.training.model import TrainingRef
from watcher.reading.status import StorePlace
from watcher.store.polls import PollStore
from watcher.store.silences import Silences
from watcher.store.sqlite.database import Database, open_database
from watcher.store.url import sqlite_url
from watcher.web.api.routes import api_routes
from watcher.web.api.sources import Sources
from watcher.web.encoded_paths import EncodedPaths
from watcher.web.store_reader import StoreReader


def make_store(folder: Path) -> Path:
    """Make the store and return its file."""
    path = folder / "here.db"
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(_fill(database))
    return path


async def _fill(database: Database) -> None:
    await fill(database)
    runs = tuple(
        replace(run_days_ago(number), ref=TrainingRef("main", "shop0000001", "pop", f"r{number}"))
        for number in range(1, 8)
    )
    await PollStore(database).record(Batch(snapshots=(in_progress("w0"),), runs=runs))
    match = Matcher(patterns={"service": ("shop0000001",)})
    await Silences(database).add(match, timedelta(days=300), author="kim", reason="moving the data", now=NOW)


@dataclass(slots=True)
class Answer:
    """The answer of an application to one request."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def sources(path: Path, now: datetime | None = None, base_path: str = "") -> Sources:
    """Return the sources of the pages and the API for a store."""
    loaded = config.load(path.with_name("config.toml"), text=CONFIG)

    async def health() -> DaemonHealth:
        return DaemonHealth(state=DaemonState.RUNNING)

    return Sources(
        read=StoreReader(sqlite_url(path)),
        config=lambda: loaded,
        place=StorePlace(path=path, url=sqlite_url(path)),
        health=health,
        utc_now=lambda: now or datetime.now(UTC),
        monotonic=time.monotonic,
        base_path=base_path,
    )


def api(path: Path) -> ASGIApp:
    """Return the API on a store, without the listener."""
    return EncodedPaths(Starlette(routes=api_routes(sources(path))))


async def ask(  # noqa: PLR0913 - the parts of a request
    app: ASGIApp,
    target: str,
    headers: dict[str, str] | None = None,
    client: str = "127.0.0.1",
    *,
    method: str = "GET",
    body: bytes = b"",
) -> Answer:
    """Ask an application; ``target`` is a path with its query, already encoded."""
    from urllib.parse import unquote  # noqa: PLC0415 - as a server does

    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "headers": [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in (headers or {}).items())],
        "client": (client, 1),
        "server": ("localhost", 80),
        "root_path": "",
    }
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer
