"""P5 and P7: a sweep in which everything changed, the delivery of all of it, and a start with many known trainings."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.daemon import configuration, daemon, server
from bench.figure import Bar, Figure, Yardstick
from bench.plain_sqlite import rows_a_second

PER_SERVICE: Final = 1000
LISTED: Final = 'service = "*"\ninterval = "10s"\nidle_interval = "10s"'
WAIT_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Burst:
    """One sweep of changes: the seconds until all were recorded, routed and delivered, after the first was."""

    changes: int
    recorded_seconds: float
    routed_seconds: float
    delivered_seconds: float
    cpu_seconds: float


def burst_figures(changes: int) -> list[Figure]:
    """P5a and P5b with this many changes at once."""
    burst = _burst(changes)
    name = f"{changes:,} changes in one sweep"
    batches = Yardstick("rows/s by sqlite3 alone, 100 a commit", rows_a_second(100))
    singles = Yardstick("commits/s by sqlite3 alone", rows_a_second(1))
    return [
        _rate("P5a", f"{name}: recorded", changes / burst.recorded_seconds, 10_000, batches),
        _rate("P5a", f"{name}: routed", changes / burst.routed_seconds, 10_000, batches),
        _rate("P5b", f"{name}: delivered to a webhook", changes / burst.delivered_seconds, 1000, singles),
        Figure(id="P5b", name=f"{name}: whole", value=1000 * burst.cpu_seconds / changes, unit="CPU ms each", bar=1.5),
    ]


def start_figures(trainings: int) -> list[Figure]:
    """P7: a second start with many known trainings, and ``status`` beside it."""
    with tempfile.TemporaryDirectory() as name, server(trainings // PER_SERVICE, PER_SERVICE) as api:
        folder = Path(name)
        config = configuration(api, folder, [LISTED])
        with daemon(folder, config):
            _wait_until(lambda: _count(folder, "SELECT count(*) FROM training") >= trainings)
        with daemon(folder, config) as watcher:
            started = watcher.ready_after_seconds
            shown = [_status_seconds(folder) for _ in range(3)]
    text = f"{trainings:,} known trainings"
    empty = Yardstick("an empty Python program", min(_seconds([sys.executable, "-c", ""]) for _ in range(3)))
    return [
        Figure(id="P7", name=f"start to READY with {text}", value=started, unit="s", bar=1.5, yardstick=empty),
        Figure(id="P7", name=f"status with {text}", value=min(shown), unit="s", bar=0.5, yardstick=empty),
    ]


def _burst(changes: int) -> Burst:
    with tempfile.TemporaryDirectory() as name, server(changes // PER_SERVICE, PER_SERVICE) as api:
        folder = Path(name)
        with daemon(folder, configuration(api, folder, [LISTED])) as watcher:
            _wait_until(lambda: _count(folder, "SELECT count(*) FROM training") >= changes)
            before = watcher.usage()
            api.control("move", share=1.0)
            _wait_until(lambda: _count(folder, "SELECT count(*) FROM event") > 0)
            start = time.monotonic()
            _wait_until(lambda: _count(folder, "SELECT count(*) FROM event") >= changes)
            recorded = time.monotonic() - start
            _wait_until(lambda: _count(folder, "SELECT count(*) FROM event WHERE routed_at IS NULL") == 0)
            routed = time.monotonic() - start
            _wait_until(lambda: api.control("counts")["posts"] >= changes)
            delivered = time.monotonic() - start
            used = watcher.usage().since(before)
    return Burst(changes, recorded, routed, delivered, used.cpu_seconds)


def _rate(identity: str, name: str, value: float, bar: float, yardstick: Yardstick) -> Figure:
    return Figure(id=identity, name=name, value=value, unit="/s", bar=bar, side=Bar.AT_LEAST, yardstick=yardstick)


def _status_seconds(folder: Path) -> float:
    return _seconds([sys.executable, "-m", "watcher", "status", "--config", str(folder / "config.toml")])


def _seconds(command: Sequence[str]) -> float:
    before = time.monotonic()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    return time.monotonic() - before


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {WAIT_SECONDS:.0f} s")
        time.sleep(0.05)


def _count(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'watcher.db'}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0
