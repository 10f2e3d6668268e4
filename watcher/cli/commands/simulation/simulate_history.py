"""``simulate --history``: fill a new store with an invented history, to try the reports on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from watcher.cli.exit_status import ExitStatus, plain_errors
from watcher.cli.runtime import run_async
from watcher.cli.text.output import Screen, cell, say
from watcher.core.plural import counted

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.operations.invented_history import HistoryCounts
    from watcher.simulator.invented.history import HistoryPlan
    from watcher.store.sqlite.database import Database

ACCOUNT: Final = "main"
NAMED_SERVICES: Final = 3
"""Services that the printed configuration names; any more share a watch."""
_TENTHS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """The file to make, and the size of its history."""

    file: Path
    plan: HistoryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenHistory:
    """A history in a store."""

    request: HistoryRequest
    began_at: datetime
    """The start of the history, UTC."""
    runs: int
    events: int


def history_request(
    days: int | None, file: Path | None, script: Path | None, given: Mapping[str, Any]
) -> HistoryRequest:
    """Return the request of these options; those that are ``None`` have their default.

    Raises:
        typer.BadParameter: an option lacks the one that it goes with.
    """
    from watcher.simulator.invented.history import HistoryPlan

    if days is None:
        raise typer.BadParameter("needs --history", param_hint="--into" if file else "--serve")
    if file is None:
        raise typer.BadParameter("needs --into, the store to make", param_hint="--history")
    if script is not None:
        raise typer.BadParameter("a history is random, so leave out --script", param_hint="--history")
    plan = HistoryPlan(days=days, **{name: value for name, value in given.items() if value is not None})
    return HistoryRequest(file=file, plan=plan)


def write_history(request: HistoryRequest) -> WrittenHistory:
    """Fill a new store with a history that ends now.

    Raises:
        typer.Exit: the file exists, or cannot be written.
        KeyboardInterrupt: Ctrl-C.
    """
    from watcher.clock import Clock
    from watcher.store.sqlite.database import open_database

    now = Clock().utc_now()
    started_at = now - timedelta(days=request.plan.days)
    with plain_errors():
        if request.file.exists():
            say(f"{request.file} exists; --into makes a new store, so name another file")
            raise typer.Exit(ExitStatus.FAILED)
        database = open_database(request.file, purpose="simulate", now=now)
    try:
        counts = _recorded(database, request.plan, started_at)
    finally:
        database.close()
    return WrittenHistory(request=request, began_at=started_at, runs=counts.runs, events=counts.events)


def _recorded(database: Database, plan: HistoryPlan, started_at: datetime) -> HistoryCounts:
    from watcher.core.batch import NotSavedError
    from watcher.operations.invented_history import record_history
    from watcher.store.polls import PollStore

    progress = WritingProgress(plan, started_at)
    try:
        return run_async(record_history(PollStore(database), plan, ACCOUNT, started_at, progress.show))
    except NotSavedError as error:
        say(f"cannot write {database.path}: {error}; it has the history up to there")
        raise typer.Exit(ExitStatus.STORE) from None
    except KeyboardInterrupt:
        say(f"interrupted: {database.path} has a part of the history; remove it, or name another file next time")
        raise


class WritingProgress:
    """Says after each tenth how much of the history is written: a large one takes minutes."""

    def __init__(self, plan: HistoryPlan, started_at: datetime) -> None:
        self._length = timedelta(days=plan.days)
        self._started_at = started_at
        self._said = 0

    def show(self, counts: HistoryCounts) -> None:
        """Write a line if another tenth is recorded."""
        if counts.recorded_until is None:
            return
        tenths = int(_TENTHS * (counts.recorded_until - self._started_at) / self._length)
        if self._said < tenths < _TENTHS:
            self._said = tenths
            say(f"{10 * tenths} %: {counts.runs:,} runs")


def show_size(written: WrittenHistory, out: Screen) -> None:
    """Write the size of a history."""
    plan = written.request.plan
    sizes = (
        counted(written.runs, "run"),
        counted(written.events, "event"),
        counted(plan.services, "service"),
        counted(plan.days, "day"),
    )
    out.line(cell(f"{', '.join(sizes)}: {written.request.file}"))


def state_lines(file: Path) -> tuple[str, ...]:
    """Return the lines of a configuration that name the store."""
    from watcher.store.url import sqlite_url

    # A JSON string is a TOML string too.
    return ("  [state]", f"  url = {json.dumps(sqlite_url(file.absolute()), ensure_ascii=False)}", "")


def _watch_lines(plan: HistoryPlan) -> Iterator[str]:
    """Yield a watch of each service with its name, or of the first ones and of all others together."""
    from watcher.simulator.invented.history import history_names

    for service, name in history_names(plan, NAMED_SERVICES).items():
        yield from ("  [[watch]]", f'  service = "{service}"', f'  name = "{name}"', "")
    if plan.services > NAMED_SERVICES:
        yield from ("  [[watch]]", '  service = "*"', "")


def show_history(written: WrittenHistory, out: Screen) -> None:
    """Write the size of a history, and a configuration to read it with."""
    show_size(written, out)
    lines = (
        "",
        "Read it with this config.toml; a daemon would need --serve to find these trainings:",
        "",
        *state_lines(written.request.file),
        f"  [account.{ACCOUNT}]",
        '  access_key = { env = "NCP_ACCESS_KEY" }',
        '  secret_key = { env = "NCP_SECRET_KEY" }',
        "",
        *_watch_lines(written.request.plan),
        "  [receiver.console]",
        '  kind = "log"',
        "",
        "  aitems-watcher history --config config.toml",
    )
    for line in lines:
        out.line(line)
    out.flush()
