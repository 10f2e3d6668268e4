"""Questions about what waits have the answers of the plain queries, and read those answers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, and_, event, exists, func, insert, select, update
from sqlalchemy.engine import create_engine

from tests.integration.store.conftest import NOW
from tests.integration.store.delivery.test_claim_cost import LONG, SHORT, WAITING, steps_of
from tests.integration.store.test_batch_cost import queue
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.event import URGENT_KINDS, Event, Kind, event_id
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.delivery import endings, fallbacks, receivers
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.rows import Row, event_row
from watcher.store.sqlite.database import Database

RECEIVERS: Final = ("team", "other")
FALLBACK: Final = "hook"
KINDS: Final = (Kind.FAILED, Kind.PROGRESS, Kind.UNREACHABLE, Kind.RECEIVER_FAILING)
OPEN: Final = (*WAITING_STATES, State.SENDING.value)

_delivery, _ledger, _event = schema.delivery.c, schema.ledger.c, schema.event.c


def at(hours: int) -> str:
    return to_text(NOW + timedelta(hours=hours))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One delivery with its event, and the receivers that have the event too."""

    receiver: str
    state: State
    kind: Kind
    about_fallback: bool
    reason: str
    attempted: bool
    announced: bool
    created: int
    allowed: int
    first: bool
    hurried: bool
    has: frozenset[str]

    def delivery(self, position: int) -> Row:
        is_open = self.state in OPEN_STATES
        return {
            "position": position,
            "id": f"d{position}",
            "receiver": self.receiver,
            "sealed": True,
            "urgent": self.kind in URGENT_KINDS or self.hurried,
            "state": self.state.value,
            "reason": self.reason,
            "created_at": at(self.created),
            "allowed_at": at(self.allowed),
            "attempted_at": at(self.allowed) if self.attempted else None,
            "next_at": at(1) if is_open or (self.state is State.DEAD and not self.announced) else None,
            "settled_at": None if is_open else at(0),
            "first_in_line": self.first,
        }

    def event(self, position: int) -> Row:
        subject = ReceiverState(name=FALLBACK).subject if self.about_fallback else f"training:main/s/pop/v{position}"
        made = Event(
            id=event_id("e1", subject, position),
            kind=self.kind,
            subject=subject,
            seq=position,
            reason="moved-forward",
            account="main",
            service=None,
            training_type=None,
            version=None,
            from_status=None,
            to_status=None,
            after=NOW,
            before=NOW,
            recorded_at=NOW,
        )
        return {**event_row(made), "position": position}

    def entries(self, position: int) -> Iterator[Row]:
        row = self.event(position)
        ending = None if self.state in OPEN_STATES else self.state.value
        common = {"event_id": row["id"], "subject": row["subject"], "receiver_seq": position}
        yield {**common, "receiver": self.receiver, "delivery_id": f"d{position}", "ending": ending}
        for name in sorted(self.has - {self.receiver}):
            yield {**common, "receiver": name, "delivery_id": f"of {name}", "ending": State.DELIVERED.value}


STATES: Final = (*OPEN_STATES, State.DEAD, State.DELIVERED)
contents = st.lists(
    st.builds(
        Stored,
        receiver=st.sampled_from(RECEIVERS),
        state=st.sampled_from(sorted(STATES)),
        kind=st.sampled_from(KINDS),
        about_fallback=st.booleans(),
        reason=st.sampled_from(("", "http 503")),
        attempted=st.booleans(),
        announced=st.booleans(),
        created=st.integers(-4, 0),
        allowed=st.integers(-4, 0),
        first=st.booleans(),
        hurried=st.booleans(),
        has=st.frozensets(st.sampled_from((FALLBACK, "chat"))),
    ),
    min_size=1,
    max_size=12,
)
times = st.integers(-5, 1).map(lambda hours: NOW + timedelta(hours=hours))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://")
    schema.metadata.create_all(made)
    yield made
    made.dispose()


def fill(connection: Connection, stored: list[Stored]) -> None:
    numbered = list(enumerate(stored, start=1))
    connection.execute(insert(schema.event), [item.event(position) for position, item in numbered])
    connection.execute(insert(schema.delivery), [item.delivery(position) for position, item in numbered])
    connection.execute(insert(schema.ledger), [row for position, item in numbered for row in item.entries(position)])
    failing = [{"name": name, "seq": 1, "failing_since": at(-9), "parked": False, "reason": ""} for name in RECEIVERS]
    connection.execute(insert(schema.receiver), failing)


same_as_plain: Final = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


@same_as_plain
@given(stored=contents, settling=st.integers(1, 12))
def test_the_oldest_failed_urgent_delivery_is_that_of_the_plain_query(
    engine: Engine, stored: list[Stored], settling: int
) -> None:
    with engine.connect() as connection:
        fill(connection, stored)
        for name in RECEIVERS:
            urgent = [f"d{position}" for position, item in enumerate(stored, start=1) if item.kind in URGENT_KINDS]
            failed = and_(_delivery.id.in_(urgent), _delivery.attempted_at.is_not(None), _delivery.reason != "")
            waits = and_(_delivery.receiver == name, _delivery.state.in_(OPEN), _delivery.id != f"d{settling}")
            plain = connection.scalar(select(func.min(_delivery.created_at)).where(waits, failed))
            found = receivers.urgent_since(connection, name, f"d{settling}")
            assert found == (None if plain is None else from_text(plain))


@same_as_plain
@given(stored=contents, before=times, uncertain=st.booleans(), untried=st.booleans())
def test_the_deliveries_that_expire_are_those_of_the_plain_query(
    engine: Engine, stored: list[Stored], before: datetime, *, uncertain: bool, untried: bool
) -> None:
    with engine.connect() as connection:
        fill(connection, stored)
        for name in RECEIVERS:
            states = WAITING_STATES if uncertain else (State.PENDING.value,)
            old = and_(_delivery.receiver == name, _delivery.allowed_at <= to_text(before), _delivery.state.in_(states))
            tried = _delivery.attempted_at.is_not(None) | untried
            plain = connection.scalars(select(_delivery.id).where(old, tried)).all()
            found = endings.expirable(connection, name, before, uncertain=uncertain, untried=untried)
            assert sorted(item.id for item in found) == sorted(plain)


@same_as_plain
@given(stored=contents)
def test_the_unannounced_dead_deliveries_are_those_of_the_plain_query(engine: Engine, stored: list[Stored]) -> None:
    with engine.connect() as connection:
        fill(connection, stored)
        dead = and_(_delivery.state == State.DEAD.value, _delivery.next_at.is_not(None))
        rows = connection.execute(select(_delivery.id, _delivery.receiver).where(dead).order_by(_delivery.position))
        plain: dict[str, list[str]] = {}
        for row in rows:
            plain.setdefault(row.receiver, []).append(row.id)
        groups = receivers.dead_groups(connection, None)
        assert [(group.state.name, [item.id for item in group.deliveries]) for group in groups] == list(plain.items())
        kinds = {f"d{position}": {item.kind} for position, item in enumerate(stored, start=1)}
        assert all(item.kinds == kinds[item.id] for group in groups for item in group.deliveries)
        for name in RECEIVERS:
            assert receivers.dead_groups(connection, name) == [group for group in groups if group.state.name == name]


def plain_fallbacks(connection: Connection, receiver: str, fallback: str) -> list[str]:
    other = schema.ledger.alias("of_fallback")
    has_it = exists().where(other.c.event_id == _event.id, other.c.receiver == fallback)
    about = ReceiverState(name=fallback).subject
    query = (
        select(_event.id)
        .join(schema.ledger, _ledger.event_id == _event.id)
        .join(schema.delivery, _delivery.id == _ledger.delivery_id)
        .where(_delivery.receiver == receiver, _delivery.state.in_(OPEN))
        .where(_event.kind.in_(sorted(URGENT_KINDS)), _event.subject != about, ~has_it)
        .order_by(_event.position)
    )
    return list(connection.scalars(query))


def give_to(connection: Connection, event_ids: list[str], fallback: str) -> None:
    for number, identity in enumerate(event_ids):
        row = {
            "event_id": identity,
            "receiver": fallback,
            "delivery_id": "x",
            "subject": identity,
            "receiver_seq": number,
        }
        connection.execute(insert(schema.ledger), row)


@settings(same_as_plain, max_examples=12)
@given(
    stored=contents,
    rounds=st.lists(st.tuples(st.sampled_from((FALLBACK, "chat")), st.integers(1, 4)), min_size=1, max_size=5),
    ended=st.sets(st.integers(1, 12)),
)
def test_the_events_for_a_fallback_are_those_of_the_plain_query_also_when_another_one_takes_over(
    engine: Engine, stored: list[Stored], rounds: list[tuple[str, int]], ended: set[int]
) -> None:
    with engine.connect() as connection:
        fill(connection, stored)
        for fallback, limit in rounds:
            due = fallbacks.fallbacks_due(connection, dict.fromkeys(RECEIVERS, fallback), limit)
            for name in RECEIVERS:
                found = [item.event.id for item in due if item.event.fallback_for == name]
                assert found == plain_fallbacks(connection, name, fallback)[:limit]
            give_to(connection, [item.event.id for item in due], fallback)
            end_and_restart(connection, ended)


def end_and_restart(connection: Connection, numbers: set[int]) -> None:
    """End these deliveries, and let an operator send again those that had ended."""
    for number in numbers:
        state = connection.scalar(select(_delivery.state).where(_delivery.position == number))
        after, ending = (State.DEAD, State.DEAD.value) if state in OPEN else (State.PENDING, None)
        connection.execute(update(schema.delivery).where(_delivery.position == number).values(state=after.value))
        entries = update(schema.ledger).where(_ledger.delivery_id == f"d{number}")
        connection.execute(entries.values(ending=ending))


Question = Callable[[Connection], object]
QUESTIONS: Final[Mapping[str, Question]] = {
    "urgent since": lambda connection: receivers.urgent_since(connection, "team", "d-v0001"),
    "expirable": lambda connection: endings.expirable(
        connection, "team", NOW - timedelta(hours=2), uncertain=True, untried=True
    ),
    "dead groups": lambda connection: receivers.dead_groups(connection, "team"),
    "dead groups of all": lambda connection: receivers.dead_groups(connection, None),
    "fallbacks due": lambda connection: fallbacks.fallbacks_due(connection, {"team": FALLBACK}, 5),
}


CASES: Final[Mapping[str, Row]] = {
    **WAITING,
    "announced": {"state": State.DEAD.value, "next_at": None},
    "at the fallback too": {"urgent": True},
}


def steps_of_questions(database: Database, count: int, case: str) -> dict[str, int]:
    """Return the steps of each question while so many deliveries wait, or have ended."""
    waiting = CASES[case]
    ended = waiting.get("state") in {State.DEAD.value, State.DELIVERED.value}
    at_fallback = case == "at the fallback too"
    with database._engine.connect() as connection, connection.begin() as transaction:
        queue(connection, range(1, 1 + count), Kind.FAILED if at_fallback else Kind.PROGRESS, **waiting)
        connection.execute(update(schema.ledger).values(ending=waiting["state"] if ended else None))
        if at_fallback:
            give_to(connection, [f"e-v{number:04}" for number in range(1, 1 + count)], FALLBACK)
        failing = {"name": "team", "seq": 1, "failing_since": at(-9), "parked": False, "reason": ""}
        connection.execute(insert(schema.receiver), failing)
        # The first question about new entries marks them.
        QUESTIONS["fallbacks due"](connection)
        found = {name: steps_of(connection, ask)[1] for name, ask in QUESTIONS.items()}
        transaction.rollback()
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_question_costs_the_same_however_many_wait(database: Database, case: str) -> None:
    assert steps_of_questions(database, LONG, case) == steps_of_questions(database, SHORT, case)


def test_no_question_about_what_waits_scans_a_table_or_sorts_it(database: Database) -> None:
    plans: dict[str, str] = {}

    def explain(_connection: Connection, cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans[statement] = " / ".join(row[3] for row in cursor.fetchall())

    with database._engine.begin() as connection:
        connection.execute(
            insert(schema.receiver),
            {"name": "team", "seq": 1, "failing_since": at(-9), "parked": False, "reason": ""},
        )
        event.listen(Engine, "before_cursor_execute", explain)
        try:
            for ask in QUESTIONS.values():
                ask(connection)
        finally:
            event.remove(Engine, "before_cursor_execute", explain)
    about_deliveries = {query: plan for query, plan in plans.items() if "FROM receiver" not in query}
    assert len(about_deliveries) >= 7
    assert {query: plan for query, plan in about_deliveries.items() if "SCAN" in plan} == {}
    indexes = " ".join(about_deliveries.values())
    assert all(name in indexes for name in ("ix_delivery_failed", "ix_delivery_allowed", "ix_ledger_open"))
