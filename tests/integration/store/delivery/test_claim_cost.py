"""The cost of one delivery does not grow with the number that waits.

The cost is counted in steps of SQLite's virtual machine, so the figures are the same on every machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, event, text

from tests.integration.store.conftest import NOW
from tests.integration.store.test_batch_cost import LATER, queue
from watcher.core.delivery.model import Claim, LeasedDelivery, Settlement, Verdict
from watcher.core.delivery.reason import DELIVERED
from watcher.core.delivery.state import State
from watcher.core.timestamps import to_text
from watcher.store import deliveries as settling
from watcher.store.delivery import leases
from watcher.store.delivery import queue as seeking
from watcher.store.delivery.queue import FEW
from watcher.store.rows import Row
from watcher.store.sqlite.database import Database

SHORT, LONG = 2 * FEW, 12 * FEW
GROWTH: Final = 1.2
DONE: Final = Settlement(verdict=Verdict(state=State.DELIVERED, reason=DELIVERED), at=NOW)
EARLIER: Final = to_text(NOW - timedelta(hours=1))


@pytest.fixture(autouse=True)
def _readable_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "read_event", lambda _body: _Nothing())


class _Nothing:
    urgent = False
    group = fallback_for = None
    subject = ""


def wanted(**changes: Any) -> Claim:
    facts: dict[str, Any] = {"receiver": "team", "limit": 4, "token": "t", "lease": timedelta(minutes=2), **changes}
    return Claim(**facts)


def steps_of(connection: Connection, work: Callable[[Connection], Any]) -> tuple[Any, int]:
    """Return the result of the work and the steps of the virtual machine."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    file: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
    file.set_progress_handler(count, 1)
    try:
        return work(connection), steps
    finally:
        file.set_progress_handler(None, 1)


def cost(database: Database, others: int, work: Callable[[Connection], Any], waiting: Row) -> int:
    """Return the steps of the work while so many deliveries wait behind ten due ones."""
    with database._engine.connect() as connection, connection.begin() as transaction:
        queue(connection, range(1, 1 + others), **waiting)
        queue(connection, range(1 + others, 11 + others))
        _, steps = steps_of(connection, work)
        transaction.rollback()
    return steps


def claim_and_settle(connection: Connection, claim: Claim) -> list[LeasedDelivery]:
    leased = leases.lease_due(connection, claim, NOW)
    assert leased
    assert all(settling._settle(connection, [(item, DONE) for item in leased], None))
    return leased


WAITING: Final[dict[str, Row]] = {
    "due": {},
    "urgent": {"urgent": True},
    "tried before": {"attempted_at": EARLIER, "attempts": 2},
    "uncertain": {"state": State.UNCERTAIN.value},
    "not due yet": {"next_at": LATER},
    "of another receiver": {"receiver": "other"},
    "being sent": {"state": State.SENDING.value, "lease_until": LATER},
    "delivered": {"state": State.DELIVERED.value, "next_at": None},
}


@pytest.mark.parametrize("kind", [kind for kind in WAITING if kind != "being sent"])
@pytest.mark.parametrize("limit", [1, 4, 16])
def test_a_delivery_costs_the_same_however_many_wait(database: Database, kind: str, limit: int) -> None:
    def work(connection: Connection) -> object:
        return claim_and_settle(connection, wanted(limit=limit))

    assert cost(database, LONG, work, WAITING[kind]) <= GROWTH * cost(database, SHORT, work, WAITING[kind])


@pytest.mark.parametrize("kind", ["due", "not due yet", "uncertain"])
def test_the_time_of_the_next_delivery_costs_the_same_however_many_wait(database: Database, kind: str) -> None:
    def work(connection: Connection) -> object:
        return leases.next_due(connection, "team", oldest_only=False)

    assert cost(database, LONG, work, WAITING[kind]) == cost(database, SHORT, work, WAITING[kind])


@pytest.mark.parametrize("kind", ["due", "not due yet", "urgent", "uncertain"])
def test_the_oldest_delivery_of_a_parked_receiver_costs_the_same_however_many_wait(
    database: Database, kind: str
) -> None:
    def work(connection: Connection) -> object:
        assert leases.next_due(connection, "team", oldest_only=True) is not None
        return leases.lease_due(connection, wanted(oldest_only=True), NOW)

    assert cost(database, LONG, work, WAITING[kind]) == cost(database, SHORT, work, WAITING[kind])


def test_a_line_with_many_waiting_costs_the_same_however_many_wait(database: Database) -> None:
    def steps(others: int) -> int:
        with database._engine.connect() as connection, connection.begin() as transaction:
            queue(connection, range(1, 1 + others), first_in_line=False)
            connection.execute(text("UPDATE delivery SET first_in_line = 1 WHERE position = 1"))
            connection.execute(text("UPDATE line SET subject = 'same'"))
            leased, steps = steps_of(connection, lambda c: claim_and_settle(c, wanted()))
            (following,) = leases.lease_due(connection, wanted(token="t2"), NOW)
            assert (leased[0].request.delivery_id, following.request.delivery_id) == ("d-v0001", "d-v0002")
            transaction.rollback()
        return steps

    assert steps(LONG) <= GROWTH * steps(SHORT)


def test_no_statement_of_a_delivery_scans_a_table_or_sorts_what_waits(database: Database) -> None:
    """Of few due deliveries the locked rows alone are sorted, at most as many as were asked for."""
    plans: dict[str, str] = {}

    def explain(
        _connection: Connection, cursor: Any, statement: str, parameters: Any, _context: Any, many: Any
    ) -> None:
        first = parameters[0] if many else parameters
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", first)
            plans[statement] = " / ".join(row[3] for row in cursor.fetchall())

    with database._engine.begin() as connection:
        queue(connection, range(1, LONG))
        event.listen(Engine, "before_cursor_execute", explain)
        try:
            for claim in (wanted(), wanted(limit=16), wanted(by_lookup=True), wanted(oldest_only=True)):
                claim_and_settle(connection, claim)
            leases.next_due(connection, "team", oldest_only=False)
        finally:
            event.remove(Engine, "before_cursor_execute", explain)
    assert len(plans) > 8
    assert {plan for plan in plans.values() if "SCAN" in plan} == set()
    asked = str(seeking._NEXT.compile(database._engine))
    (turns,) = [
        plan
        for statement, plan in plans.items()
        if "ORDER BY delivery.urgent DESC" in statement and "LIMIT" in statement
    ]
    assert "ix_delivery_turn" in turns, asked
    assert "TEMP B-TREE" not in turns


@pytest.mark.parametrize("oldest_only", [False, True], ids=["works", "is parked"])
@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (None, timedelta(minutes=2)),
        (timedelta(hours=1), timedelta(minutes=2)),
        (timedelta(minutes=1), timedelta(minutes=1)),
    ],
    ids=["nothing waits", "the others wait longer", "another one is due earlier"],
)
def test_a_lost_lease_is_due_at_its_end_whatever_waits(
    database: Database, waiting: timedelta | None, expected: timedelta, *, oldest_only: bool
) -> None:
    with database._engine.begin() as connection:
        queue(connection, range(1, 2), state=State.SENDING.value, lease_until=to_text(NOW + timedelta(minutes=2)))
        if waiting is not None:
            queue(connection, range(2, 3), next_at=to_text(NOW + waiting))
        queue(connection, range(3, 4), receiver="other", state=State.SENDING.value, lease_until=EARLIER)
        assert leases.next_due(connection, "team", oldest_only=oldest_only) == NOW + expected
