"""The real command in a process of its own that dies, as by ``kill -9``, at a named step.

Nothing of this is in the installed package: the process wraps the program's own functions before it runs it. It is
forked from one that has imported the program already, so that hundreds of lives take minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from watcher.receivers.webhook import WebhookReceiver
from watcher.store import deliveries, migrate, outbox, polls, retention
from watcher.store.delivery import leases
from watcher.store.sqlite import backup
from watcher.store.sqlite.database import Database

MOMENTS: Final = ("before", "within", "after")
"""Before its transaction does anything, when it did everything but commit, and when it has committed."""
HIT: Final = "hit"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a life ends: at the so-manieth time that the step does something."""

    step: str
    moment: str
    turn: int = 1

    def __str__(self) -> str:
        return f"{self.moment} {self.step}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the mechanism: the function that does it within its transaction."""

    owner: Any
    name: str
    matters: Callable[[tuple[Any, ...], Any], bool] = lambda _args, _result: True
    """Arguments and result (``None`` before) to whether this is the step that is meant."""
    transacts: bool = True
    """Whether its end is the end of a transaction of the writer."""


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "migrate": Step(migrate, "upgrade"),
        "record": Step(polls, "_record", lambda args, _: bool(args[1].events)),
        "flush": Step(polls, "_record", lambda args, _: not args[1].events),
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
    """Return every point of every step that a daemon passes again and again."""
    steps = ("record", "flush", "route", "claim", "settle")
    return [
        *(Point(step, moment) for step in steps for moment in MOMENTS),
        # What is to be taken back at a start must have been left half sent.
        *(point for moment in MOMENTS for point in (Point("send", "before"), Point("reclaim", moment))),
        *(Point("send", moment) for moment in ("before", "after")),
    ]


def start(folder: Path, environ: Mapping[str, str], point: Point | None) -> ForkServerProcess:
    """Start ``run`` on the folder's configuration; it dies at ``point``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.crash_points", "watcher.cli.app", "watcher.app", "alembic.command"])
    process = context.Process(target=_live, args=(folder, dict(environ), point), daemon=True)
    process.start()
    return process


def _live(folder: Path, environ: Mapping[str, str], point: Point | None) -> None:
    os.environ.update(environ)
    if point is not None:
        _plant(point, folder / HIT)
    sys.argv = ["aitems-watcher", "run", "--config", str(folder / "config.toml")]
    with (folder / "daemon.log").open("a") as log, redirect_stdout(log), redirect_stderr(log):
        from watcher.__main__ import main  # noqa: PLC0415 - the program begins here

        main()


class _Death:
    """Comes at the so-manieth call; what is written before it outlives the process."""

    def __init__(self, point: Point, mark: Path) -> None:
        self._point = point
        self._mark = mark
        self._turns = 0

    def is_due(self) -> bool:
        self._turns += 1
        return self._turns >= self._point.turn

    def come(self) -> None:
        self._mark.write_text(str(self._point), encoding="ascii")
        os.kill(os.getpid(), signal.SIGKILL)


def _plant(point: Point, mark: Path) -> None:
    death = _Death(point, mark)
    if point.step == "send":
        _plant_in_send(point, death)
    else:
        _plant_in_step(point, death)


def _plant_in_send(point: Point, death: _Death) -> None:
    whole: Callable[..., Awaitable[Any]] = WebhookReceiver.send

    async def send(*args: Any) -> Any:
        if point.moment == "before" and death.is_due():
            death.come()
        outcome = await whole(*args)
        if point.moment == "after" and death.is_due():
            death.come()
        return outcome

    WebhookReceiver.send = send  # type: ignore[method-assign,assignment]  # wrapped


def _plant_in_step(point: Point, death: _Death) -> None:
    step = STEPS[point.step]
    work, transact = getattr(step.owner, step.name), Database._transact
    done = False

    def dying_work(*args: Any) -> Any:
        nonlocal done
        if point.moment == "before" and step.matters(args, None) and death.is_due():
            death.come()
        result = work(*args)
        if point.moment != "before" and step.matters(args, result) and death.is_due():
            if point.moment == "within" or not step.transacts:
                death.come()
            done = True
        return result

    def dying_transact(*args: Any) -> Any:
        result = transact(*args)
        if done:
            death.come()
        return result

    setattr(step.owner, step.name, dying_work)
    Database._transact = dying_transact  # type: ignore[method-assign,assignment]  # wrapped
