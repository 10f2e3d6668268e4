"""Joining a batch reads the events and lines of its candidates alone, however long the queue is.

The cost is counted in steps of SQLite's virtual machine, so the figures are the same on every machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import Connection, RowMapping, Table, insert, select, update

from tests.integration.store.conftest import NOW
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery import batches
from watcher.store.rows import Row
from watcher.store.sqlite.database import Database

CANDIDATES: Final = 20
SHORT, LONG = 100, 500
STEPS_OF_A_SORTED_ROW: Final = 50
"""At most so many for reading the columns of one delivery and finding its place among the candidates."""
LATER: Final = to_text(NOW + timedelta(hours=1))

_delivery = schema.delivery
DUE_BY: Final = to_text(NOW)


@pytest.fixture(autouse=True)
def _few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CANDIDATES_MAX", CANDIDATES)


def queue(connection: Connection, numbers: range, kind: Kind = Kind.PROGRESS, **changes: object) -> None:
    """Insert a delivery for each number, each of one event of a training of its own."""
    names = [f"v{number:04}" for number in numbers]
    made = to_text(NOW)
    parts: Sequence[tuple[Table, Row]] = (
        (schema.event, {"seq": 1, "kind": kind.value, "body": "{}", "recorded_at": made}),
        (schema.ledger, {"receiver": "team", "receiver_seq": 1}),
        (schema.line, {"receiver": "team"}),
        (
            _delivery,
            {
                "receiver": "team",
                "sealed": True,
                "urgent": False,
                "state": State.PENDING.value,
                "created_at": made,
                "allowed_at": made,
                "next_at": made,
                **changes,
            },
        ),
    )
    own = {
        "event": lambda name, number: {"position": number, "id": f"e-{name}", "subject": name},
        "ledger": lambda name, number: {"event_id": f"e-{name}", "delivery_id": f"d-{name}", "subject": name},
        "line": lambda name, number: {"subject": name, "position": number},
        "delivery": lambda name, number: {"position": number, "id": f"d-{name}"},
    }
    for table, common in parts:
        rows = [{**common, **own[table.name](name, number)} for name, number in zip(names, numbers, strict=True)]
        connection.execute(insert(table), rows)


def join(connection: Connection) -> tuple[RowMapping, int]:
    """Join what waits for the first delivery; return the row of the message and the number of steps."""
    head = connection.execute(select(_delivery).where(_delivery.c.position == 1)).mappings().one()
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    file: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
    file.set_progress_handler(count, 1)
    try:
        return batches.with_waiting(connection, head, DUE_BY, 5), steps
    finally:
        file.set_progress_handler(None, 1)


def cost(database: Database, others: int, head: Row, waiting: Row) -> int:
    """Return the steps of joining a head in a queue with five due deliveries and so many others."""
    with database._engine.connect() as connection, connection.begin() as transaction:
        queue(connection, range(1, 2), **head)
        queue(connection, range(2, 7))
        queue(connection, range(7, 7 + others), **waiting)
        _, steps = join(connection)
        transaction.rollback()
    return steps


def growth(database: Database, head: Row, waiting: Row) -> float:
    """Return the steps for each further delivery in the queue."""
    return (cost(database, LONG, head, waiting) - cost(database, SHORT, head, waiting)) / (LONG - SHORT)


def test_a_longer_queue_costs_the_sort_of_its_rows_and_no_reading_of_events(database: Database) -> None:
    assert growth(database, {}, {}) <= STEPS_OF_A_SORTED_ROW


@pytest.mark.parametrize(
    "head", [{"kind": Kind.STORE_FAILING}, {"may_be_repeat": True}, {"degrade": 1}, {"body": b"rendered"}], ids=str
)
def test_a_queue_costs_nothing_behind_a_message_that_cannot_be_joined(database: Database, head: Row) -> None:
    assert growth(database, head, {}) == 0


@pytest.mark.parametrize("waiting", [{"next_at": LATER}, {"receiver": "other"}], ids=str)
def test_deliveries_that_are_due_later_or_go_elsewhere_cost_nothing(database: Database, waiting: Row) -> None:
    assert growth(database, {}, waiting) == 0


@pytest.mark.parametrize(
    "apart",
    [
        {"kind": Kind.RECEIVER_FAILING},
        {"may_be_repeat": True},
        {"degrade": 1},
        {"body": b"rendered"},
        {"fallback_for": "x"},
    ],
    ids=str,
)
def test_among_the_candidates_only_the_joinable_ones_are_joined(database: Database, apart: Row) -> None:
    with database._engine.begin() as connection:
        queue(connection, range(1, 4))
        queue(connection, range(4, 6), **apart)
        queue(connection, range(6, 8))
        message, _ = join(connection)
        left = connection.scalars(select(_delivery.c.position).order_by(_delivery.c.position)).all()
    assert (message["position"], left) == (1, [1, 4, 5])


def test_a_change_behind_one_that_cannot_be_joined_stays_in_its_line(database: Database) -> None:
    with database._engine.begin() as connection:
        queue(connection, range(1, 5))
        queue(connection, range(5, 6), may_be_repeat=True)
        queue(connection, range(6, 8))
        connection.execute(update(schema.line).where(schema.line.c.position == 7).values(subject="v0005"))
        join(connection)
        left = connection.scalars(select(_delivery.c.position).order_by(_delivery.c.position)).all()
    assert left == [1, 5, 7]
