"""The rule for repeated ids: only deliveries that a daemon was sending when it died may arrive twice."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.support.invariants import RECORDING, DaemonRun
from tests.support.servers import Received
from watcher.core.delivery.state import State


def in_flight(folder: Path) -> frozenset[str]:
    """Return the deliveries that a dead daemon was sending; the store itself stays unchanged."""
    with tempfile.TemporaryDirectory() as copy:
        for name in ("watcher.db", "watcher.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, copy)
        with closing(sqlite3.connect(Path(copy, "watcher.db"))) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'delivery'").fetchone():
                return frozenset()
            rows = connection.execute("SELECT id FROM delivery WHERE state = ?", (State.SENDING.value,))
            return frozenset(identity for (identity,) in rows)


def needless_repeats(received: Iterable[Received], runs: Sequence[DaemonRun]) -> list[str]:
    """Return the ids that arrived twice although their daemon kept running or had recorded their delivery."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for item in received:
        times[item.webhook_id].append(item.at)
    return [
        identity
        for identity, arrivals in times.items()
        if any(not _is_excused(identity, first, second, runs) for first, second in pairwise(arrivals))
    ]


def _is_excused(identity: str, first: datetime, second: datetime, runs: Sequence[DaemonRun]) -> bool:
    if any(life.started_at <= first and second <= life.ended_at for life in runs):
        return False
    # A request in transit may arrive shortly after the death of its sender.
    senders = [life for life in runs if life.started_at <= first <= life.ended_at + RECORDING]
    return any(life.in_flight is None or identity in life.in_flight for life in senders)
