"""The real command in its own process, which dies at a named step as by ``kill -9``.

The process wraps functions of the program before it starts; the package itself has no test code. It is forked from a
process that has imported the program already, so that hundreds of runs take minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from watcher.receivers.webhook import WebhookReceiver
from watcher.store import deliveries, outbox, polls, retention
from watcher.store.delivery import leases
from watcher.store.migrations import migrate
from watcher.store.sqlite import backup, group_commit
from watcher.store.sqlite.group_commit import GroupCommit

SIDES: Final = ("before", "within", "after")
"""Before the transaction, after its last statement but before the commit, and after the commit."""
BETWEEN: Final = "between"
"""After the step, before the next piece of work in its transaction."""
PAUSE_SECONDS: Final = 0.02
"""A pause of the writer thread, in which pieces of work gather, so that a point between two is reached soon."""
HIT: Final = "hit"


@dataclass(frozen=True, slots=True)
class Point:
    """The point where a run dies: the given occurrence of a step."""

    step: str
    side: str
    occurrence: int = 1

    def __str__(self) -> str:
        return f"{self.side} {self.step}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the mechanism: its function within the transaction."""

    owner: Any
    name: str
    applies: Callable[[tuple[Any, ...], Any], bool] = lambda _args, _result: True
    """Decides by arguments and result (``None`` before the call) whether the call counts as the step."""
    transacts: bool = True
    """Whether a transaction of the writer ends with it."""


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "migrate": Step(migrate, "upgrade"),
        "record": Step(polls, "_record", lambda args, _: bool(args[1].events)),
        "flush": Step(polls, "_record", lambda args, _: not args[1].events),
        "update": Step(polls, "_record", lambda args, _: any(event.update for event in args[1].events)),
        "overdue": Step(polls, "_record", lambda args, _: any(event.overdue for event in args[1].events)),
        "route": Step(outbox, "enqueue"),
        "claim": Step(leases, "_claim", lambda _, result: result is None or bool(result)),
        "settle": Step(deliveries, "_settle"),
        "reclaim": Step(leases, "_reclaim", lambda _, result: result is None or result > 0),
        "copy": Step(backup, "_copy", transacts=False),
        "publish": Step(backup, "_publish", transacts=False),
        "retention": Step(retention, "_prune", lambda _, result: result is None or result > 0),
    }
)


def points() -> list[Point]:
    """Return every point of the steps that a daemon repeats."""
    steps = ("record", "flush", "route", "claim", "settle")
    return [
        *(Point(step, side) for step in steps for side in (*SIDES, BETWEEN)),
        # A start reclaims only deliveries that an earlier run left in sending.
        *(point for side in SIDES for point in (Point("send", "before"), Point("reclaim", side))),
        *(Point("send", side) for side in ("before", "after")),
    ]


def start(folder: Path, environ: Mapping[str, str], point: Point | None) -> ForkServerProcess:
    """Start ``run`` with the folder's configuration; the process dies at ``point``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.support.crash_points", "watcher.cli.commands.run", "watcher.app", "alembic.command"]
    )
    process = context.Process(target=_run_daemon, args=(folder, dict(environ), point), daemon=True)
    process.start()
    return process


def _run_daemon(folder: Path, environ: Mapping[str, str], point: Point | None) -> None:
    os.environ.update(environ)
    if point is not None:
        _install(point, folder / HIT)
    sys.argv = ["aitems-watcher", "run", "--config", str(folder / "config.toml")]
    with (folder / "daemon.log").open("a") as log, redirect_stdout(log), redirect_stderr(log):
        from watcher.__main__ import main  # noqa: PLC0415 - the start of the program

        main()


class _Kill:
    """Kills the process at the given occurrence, after it has noted the point in a file."""

    def __init__(self, point: Point, mark: Path) -> None:
        self._point = point
        self._mark = mark
        self._occurrences = 0

    def is_due(self) -> bool:
        self._occurrences += 1
        return self._occurrences >= self._point.occurrence

    def execute(self) -> None:
        self._mark.write_text(str(self._point), encoding="ascii")
        os.kill(os.getpid(), signal.SIGKILL)


def _install(point: Point, mark: Path) -> None:
    kill = _Kill(point, mark)
    if point.step == "send":
        _install_in_send(point, kill)
    else:
        _install_in_step(point, kill)


def _install_in_send(point: Point, kill: _Kill) -> None:
    original_send: Callable[..., Awaitable[Any]] = WebhookReceiver.send

    async def send(*args: Any) -> Any:
        if point.side == "before" and kill.is_due():
            kill.execute()
        outcome = await original_send(*args)
        if point.side == "after" and kill.is_due():
            kill.execute()
        return outcome

    WebhookReceiver.send = send  # type: ignore[method-assign,assignment]  # wrapped


def _install_in_step(point: Point, kill: _Kill) -> None:
    step = STEPS[point.step]
    work, transact = getattr(step.owner, step.name), GroupCommit._transact
    done = False

    def dying_work(*args: Any) -> Any:
        nonlocal done
        if point.side == "before" and step.applies(args, None) and kill.is_due():
            kill.execute()
        result = work(*args)
        if point.side != "before" and step.applies(args, result) and kill.is_due():
            if point.side == "within" or not step.transacts:
                kill.execute()
            done = True
        return result

    def dying_transact(*args: Any) -> Any:
        nonlocal done
        result = transact(*args)
        if done and point.side != BETWEEN:
            kill.execute()
        # It was the last piece of its group: a later one is followed by another.
        done = False
        return result

    def die_between() -> None:
        if done:
            kill.execute()

    setattr(step.owner, step.name, dying_work)
    GroupCommit._transact = dying_transact  # type: ignore[method-assign,assignment]  # wrapped
    if point.side == BETWEEN:
        _install_between_pieces(die_between)


def _install_between_pieces(die: Callable[[], None]) -> None:
    run_waiting, in_savepoint = GroupCommit._run_waiting, group_commit._in_savepoint

    def gathering(*args: Any) -> None:
        time.sleep(PAUSE_SECONDS)
        run_waiting(*args)

    def dying_savepoint(*args: Any) -> Any:
        die()
        return in_savepoint(*args)

    GroupCommit._run_waiting = gathering  # type: ignore[method-assign,assignment]  # wrapped
    group_commit._in_savepoint = dying_savepoint  # type: ignore[assignment]  # wrapped
