"""A real SQLite file, with snapshots and events for its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watcher.core.event import Event, Kind, event_id
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.store.sqlite.database import Database, open_database

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "watcher.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_database(path, purpose="test", now=NOW)
    yield opened
    opened.close()


@pytest.fixture
def make_snapshot() -> Callable[..., Snapshot]:
    def make(version: str = "v1", status: str | None = "learning", **changes: object) -> Snapshot:
        ref = TrainingRef("main", "s/ä?", "pop", version)
        facts = {"ref": ref, "status": status, "seen_after": NOW, "first_seen_at": NOW, **changes}
        return Snapshot(**facts)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_event() -> Callable[..., Event]:
    def make(seq: int = 1, version: str = "v1", kind: Kind = Kind.PROGRESS) -> Event:
        ref = TrainingRef("main", "s", "pop", version)
        return Event(
            id=event_id("e1", ref.subject, seq),
            kind=kind,
            subject=ref.subject,
            seq=seq,
            reason="moved-forward",
            account=ref.account,
            service=ref.service,
            training_type=ref.type,
            version=ref.version,
            from_status="waiting",
            to_status="learning",
            after=NOW,
            before=NOW + SECOND,
            recorded_at=NOW + SECOND,
        )

    return make
