"""P5b: the cost of one delivery by the number of deliveries that wait, without a network.

Run ``python -m bench.waiting``. A receiver that takes everything at once stands in for the webhook, so that the cost
is that of leasing, attempting and settling alone. Costs are CPU seconds of the process.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, insert

from watcher.cli.runtime import run_async
from watcher.clock import Clock
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, Policy
from watcher.core.event import Event, Kind, event_id
from watcher.core.timestamps import to_text
from watcher.core.training.model import TrainingRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.store import schema
from watcher.store.deliveries import Deliveries
from watcher.store.rows import Row, event_row
from watcher.store.sqlite.database import Database, open_database

SIZES: Final = (100, 1_000, 10_000, 50_000)
ATTEMPTS: Final = 1_000
ROWS: Final = 5_000


class Counting:
    """A receiver that takes every message, and stops its worker after so many."""

    name = pace_key = kind = "hook"
    pace_seconds = 0.0
    batch_max = 1
    dedup = Dedup.BY_ID

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.worker: DeliveryWorker | None = None

    def seal(self, event: Event, receiver_seq: int) -> bytes:  # noqa: ARG002 - the interface
        """Return no text, since nothing is rendered."""
        return b"{}"

    def seal_group(self, entries: object, also: object) -> bytes:  # noqa: ARG002 - the interface
        """Return no text, since nothing is rendered."""
        return b"{}"

    async def send(self, request: DeliveryRequest, /) -> Outcome:  # noqa: ARG002 - the interface
        """Take the message."""
        await asyncio.sleep(0)
        self.left -= 1
        if self.left <= 0 and self.worker is not None:
            self.worker.stop()
        return Delivered()


def main() -> None:
    """Print the cost of one delivery for each number of waiting ones."""
    quiet_logs()
    print("| waiting | not due yet | CPU ms a delivery |\n|---|---|---|")  # noqa: T201
    for waiting in SIZES:
        print(f"| {waiting:,} | 0 | {cost_ms(waiting):.3f} |", flush=True)  # noqa: T201
    for waiting in SIZES:
        print(f"| {ATTEMPTS:,} | {waiting:,} | {cost_ms(ATTEMPTS, not_due=waiting):.3f} |", flush=True)  # noqa: T201


def quiet_logs() -> None:
    """Log errors only, since this process has no other output than its table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def cost_ms(waiting: int, *, not_due: int = 0, attempts: int = ATTEMPTS) -> float:
    """Return the CPU milliseconds of one delivery while so many wait, and older ones are not due yet."""
    with tempfile.TemporaryDirectory() as folder:
        now = datetime.now(UTC)
        with closing(open_database(Path(folder) / "watcher.db", purpose="bench", now=now)) as database:
            run_async(fill(database, not_due, waiting, now))
            seconds = run_async(deliver(database, min(attempts, waiting)))
    return 1000 * seconds / min(attempts, waiting)


async def deliver(database: Database, attempts: int) -> float:
    """Deliver so many; return the CPU seconds of all threads."""
    clock, receiver = Clock(), Counting(attempts)
    made = workers({"hook": receiver}, Deliveries(database), Policy(), clock, ClockTrust(clock))
    receiver.worker = made["hook"]
    before = time.process_time()
    await made["hook"].drain()
    return time.process_time() - before


async def fill(database: Database, not_due: int, due: int, now: datetime) -> None:
    """Insert deliveries, each of a training of its own; the oldest ones are due in an hour."""
    later = now + timedelta(hours=1)
    rows = iter([*_rows(range(1, not_due + 1), now, later), *_rows(range(not_due + 1, not_due + due + 1), now, now)])
    while batch := list(islice(rows, ROWS)):
        await database.write(lambda connection, batch=batch: _insert(connection, batch))  # type: ignore[misc]


def _insert(connection: Connection, rows: list[tuple[Row, Row, Row, Row]]) -> None:
    for table, number in ((schema.event, 0), (schema.delivery, 1), (schema.ledger, 2), (schema.line, 3)):
        connection.execute(insert(table), [row[number] for row in rows])


def _rows(numbers: range, now: datetime, next_at: datetime) -> Iterator[tuple[Row, Row, Row, Row]]:
    for number in numbers:
        event = _event(number, now)
        identity, text = f"msg_{number:08}", to_text(now)
        line = {"receiver": "hook", "subject": event.subject}
        delivery = {
            "position": number,
            "id": identity,
            "receiver": "hook",
            "sealed": True,
            "urgent": event.urgent,
            "body": b"{}",
            "state": "pending",
            "created_at": text,
            "allowed_at": text,
            "next_at": to_text(next_at),
            "attempted_at": None if next_at == now else text,
            "attempts": 0 if next_at == now else 1,
        }
        ledger = {**line, "event_id": event.id, "delivery_id": identity, "receiver_seq": 1}
        routed = {**event_row(event), "routed_at": text}
        yield routed, delivery, ledger, {**line, "position": number}


def _event(number: int, now: datetime) -> Event:
    ref = TrainingRef("main", f"s{number % 100}", "pop", f"v{number}")
    return Event(
        id=event_id("e1", ref.subject, 1),
        kind=Kind.PROGRESS,
        subject=ref.subject,
        seq=1,
        reason="moved-forward",
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        from_status="waiting",
        to_status="learning",
        after=now,
        before=now,
        recorded_at=now,
    )


if __name__ == "__main__":
    main()
