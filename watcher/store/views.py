"""Read the store for `status`, `history` and other reports, also while a daemon holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, func, or_, select
from sqlalchemy.exc import DatabaseError

from watcher.core.action import Action
from watcher.core.delivery.reason import Reason, read_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.event import Event
from watcher.core.incidents.model import Incident
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.polling.result import PollState
from watcher.core.routing.reason import RoutingReason
from watcher.core.routing.reason import read_reason as read_routing_reason
from watcher.core.routing.silence import Silence
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining
from watcher.store import actions, schema, silences, trainings
from watcher.store.delivery.reading import failing_receivers
from watcher.store.delivery.views import DeliveryFilter, DeliveryView, delivery_views
from watcher.store.errors import StoreUnusable
from watcher.store.readers import place_of, reader_engine, remedy_for
from watcher.store.rows import read_deviation, read_event, read_incident_row, read_poll, read_snapshot, read_time
from watcher.store.runs.retrainings import read_retraining
from watcher.store.trainings import TrainingCount, TrainingQuery
from watcher.store.unannounced import UnannouncedEvent, unannounced

EVENTS_WITH_NAMES: Final = 2000
"""A name is sought in so many events: that takes a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """How many deliveries of one receiver are in one state."""

    receiver: str
    state: State
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOutcome:
    """The delivery of one event to one receiver."""

    receiver: str
    receiver_seq: int
    delivery_id: str
    state: State
    reason: Reason
    attempts: int
    settled_at: datetime | None
    answer: str | None
    actions: tuple[Action, ...] = ()
    """Its retries and its drop by people, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHistory:
    """An event with its route and its deliveries."""

    event: Event
    position: int = 0
    """Its place in the order of recording."""
    routed_at: datetime | None
    route: RoutingReason | None
    delivery_outcomes: tuple[DeliveryOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilter:
    """Which events to show; ``None`` shows all."""

    text: str | None = None
    """A part of the subject, or the beginning of an event's id; case does not matter."""
    subject: str | None = None
    """The one subject, e.g. a training."""
    kinds: frozenset[str] = frozenset()
    """Empty for every kind."""
    since: datetime | None = None
    """The earliest time of recording."""
    after: int | None = None
    """Only events behind this position, the oldest of them."""
    limit: int | None = 50


class Views:
    """All reads of one command, at one point in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> Connection:
        """The connection, for other reads at the same point in time."""
        return self._connection

    def facts(self) -> dict[str, str]:
        """Return the store's facts about itself."""
        rows = self._connection.execute(select(schema.meta))
        return {row.key: row.value for row in rows}

    def trainings(self) -> list[Snapshot]:
        """Return every known training, by account, service and version; a report reads ``training_counts`` instead."""
        rows = self._connection.execute(select(schema.training)).mappings()
        return sorted((read_snapshot(row) for row in rows), key=lambda snapshot: snapshot.ref)

    def training_counts(self, service: ServiceRef | None = None) -> list[TrainingCount]:
        """Return the number of trainings by service and status; ``service`` counts those of one."""
        return trainings.training_counts(self._connection, service)

    def known_statuses(self, refs: Iterable[TrainingRef]) -> list[TrainingCount]:
        """Return the status of those of these trainings that are known."""
        return list(trainings.known_statuses(self._connection, refs))

    def find_trainings(self, wanted: TrainingQuery) -> Iterator[Snapshot]:
        """Yield the trainings of a query."""
        return trainings.find_trainings(self._connection, wanted)

    def one_training(self, ref: TrainingRef) -> Snapshot | None:
        """Return a training, if it is known."""
        return trainings.one_training(self._connection, ref)

    def polls(self, service: ServiceRef | None = None) -> dict[str, PollState]:
        """Return the state of each poll, by key.

        Args:
            service: reads those of one service and its trainings, and of the list of services that may find it.
        """
        query, key = select(schema.poll), schema.poll.c.key
        if service is not None:
            trainings_of = f"training:{service.subject.partition(':')[2]}/"
            lists = key.endswith(service.subject, autoescape=True)
            discovery = key == ServiceRef(service.account, EVERY_SERVICE).subject
            query = query.where(or_(lists, discovery, key.startswith(trainings_of, autoescape=True)))
        return {row["key"]: read_poll(row) for row in self._connection.execute(query).mappings()}

    def service_name(self, service: ServiceRef) -> str | None:
        """Return the name of a service in the latest list of services, if one has shown it."""
        table = schema.poll.c
        found: str | None = self._connection.scalar(select(table.name).where(table.key == service.subject))
        return found

    def overdue(self) -> list[Retraining]:
        """Return the retrainings that were reported as overdue, by service and type."""
        table = schema.retraining
        rows = self._connection.execute(select(table).where(table.c.reported != "[]")).mappings()
        return sorted((read_retraining(row) for row in rows), key=lambda state: state.ref)

    def incidents(self) -> list[Incident]:
        """Return the open incidents, the oldest first."""
        is_open = schema.incident.c.body.is_not(None)
        rows = self._connection.execute(select(schema.incident).where(is_open)).mappings()
        found = (read_incident_row(row).incident for row in rows)
        return sorted((item for item in found if item is not None), key=lambda incident: incident.since)

    def deviations(self) -> list[Deviation]:
        """Return the deviations of AiTEMS from its documents, the oldest first."""
        rows = self._connection.execute(select(schema.deviation).order_by(schema.deviation.c.seen_at)).mappings()
        return [read_deviation(row) for row in rows]

    def queues(self, states: Iterable[State] | None = None) -> list[QueueState]:
        """Return the number of deliveries by receiver and state; ``None`` stands for every state.

        Delivered ones are most of the store: a frequent caller names the states. The index of states has all that is
        counted; the times are those of the earliest rows alone.
        """
        table = schema.delivery.c
        columns = (table.state, table.receiver)
        counted = select(*columns, func.count().label("count"), func.min(table.position).label("first"))
        if states is not None:
            counted = counted.where(table.state.in_(sorted(states)))
        rows = counted.group_by(*columns).subquery()
        query = select(rows, table.created_at.label("oldest")).join(schema.delivery, table.position == rows.c.first)
        ordered = query.order_by(rows.c.receiver, rows.c.state)
        return [_queue_state(row) for row in self._connection.execute(ordered).mappings()]

    def deliveries(self, wanted: DeliveryFilter) -> list[DeliveryView]:
        """Return the latest or the oldest deliveries that match, the newest last."""
        return delivery_views(self._connection, wanted)

    def silences(self, now: datetime) -> list[Silence]:
        """Return the silences that are active at this time, the oldest first."""
        return silences.active(self._connection, now)

    def every_silence(self) -> list[Silence]:
        """Return every silence, ended ones too, the oldest first."""
        return silences.every(self._connection)

    def silence(self, identity: str) -> Silence | None:
        """Return the silence with this id."""
        return silences.by_id(self._connection, identity)

    def failing_receivers(self) -> list[ReceiverState]:
        """Return the receivers that fail permanently."""
        return failing_receivers(self._connection)

    def unannounced(self) -> list[UnannouncedEvent]:
        """Return the events about receivers that reached no receiver."""
        return unannounced(self._connection)

    def history(self, wanted: HistoryFilter) -> list[EventHistory]:
        """Return the latest events that match, the newest last."""
        query = _matching(wanted).limit(wanted.limit)
        if wanted.after is not None:
            rows = self._connection.execute(query.order_by(schema.event.c.position)).mappings().all()
            return self._event_histories(rows)
        rows = self._connection.execute(query.order_by(schema.event.c.position.desc())).mappings().all()
        return self._event_histories(rows)[::-1]

    def names_in_events(self) -> dict[ServiceRef, set[str]]:
        """Return the names of services in the latest events: messages have those that AiTEMS gives, too."""
        table = schema.event.c
        names: dict[ServiceRef, set[str]] = {}
        newest = select(table.body).order_by(table.position.desc()).limit(EVENTS_WITH_NAMES)
        for body in self._connection.scalars(newest):
            event = read_event(body)
            if event.account is not None and event.service is not None and event.service_name is not None:
                names.setdefault(ServiceRef(event.account, event.service), set()).add(event.service_name)
        return names

    def newest_position(self) -> int:
        """Return the position of the newest event; 0 where there is none."""
        return self._connection.scalar(select(func.max(schema.event.c.position))) or 0

    def oldest_position(self) -> int:
        """Return the position of the oldest event that the store still has; 0 where there is none."""
        return self._connection.scalar(select(func.min(schema.event.c.position))) or 0

    def first_unrouted_position(self, since: datetime) -> int | None:
        """Return the position of the first event since a time that is not routed yet; ``None`` where each is."""
        event = schema.event.c
        waiting = select(func.min(event.position)).where(event.routed_at.is_(None))
        found: int | None = self._connection.scalar(waiting.where(event.recorded_at >= to_text(since)))
        return found

    def by_id(self, beginning: str, limit: int) -> list[EventHistory]:
        """Return the latest events whose id begins so, the newest first."""
        table = schema.event.c
        begins = table.id.istartswith(beginning, autoescape=True)
        query = select(schema.event).where(begins).order_by(table.position.desc()).limit(limit)
        return self._event_histories(self._connection.execute(query).mappings().all())

    def recent(self, event: Event) -> int:
        """Return the number of events of a subject within the hour up to this one, which counts too."""
        from watcher.store.outbox import recent_of  # noqa: PLC0415 - few reports need it, and it loads the routing

        (recent,) = recent_of(self._connection, [event])
        return recent

    def _event_histories(self, rows: Sequence[RowMapping]) -> list[EventHistory]:
        deliveries = {row["id"]: self._deliveries_of(row["id"]) for row in rows}
        ids = (delivery["id"] for found in deliveries.values() for delivery in found)
        done = actions.of_targets(self._connection, ids)
        return [_event_history(row, deliveries[row["id"]], done) for row in rows]

    def _deliveries_of(self, event_id: str) -> Sequence[RowMapping]:
        query = (
            select(schema.ledger.c.receiver_seq, schema.delivery)
            .join(schema.delivery, schema.delivery.c.id == schema.ledger.c.delivery_id)
            .where(schema.ledger.c.event_id == event_id)
            .order_by(schema.delivery.c.receiver)
        )
        return self._connection.execute(query).mappings().all()


def _matching(wanted: HistoryFilter) -> Select[Any]:
    table = schema.event.c
    query = select(schema.event)
    if wanted.kinds:
        query = query.where(table.kind.in_(sorted(wanted.kinds)))
    if wanted.subject is not None:
        query = query.where(table.subject == wanted.subject)
    if wanted.text is not None:
        begins = table.id.istartswith(wanted.text, autoescape=True)
        query = query.where(table.subject.icontains(wanted.text, autoescape=True) | begins)
    if wanted.after is not None:
        query = query.where(table.position > wanted.after)
    if wanted.since is not None:
        recorded = table.recorded_at >= to_text(wanted.since)
        # The sum keeps SQLite from a search by position; it finds the first of them by the index of times.
        first = select(func.min(table.position + 0)).where(recorded).scalar_subquery()
        query = query.where(table.position >= first, recorded)
    return query


def _queue_state(row: RowMapping) -> QueueState:
    return QueueState(
        receiver=row["receiver"], state=State(row["state"]), count=row["count"], oldest=from_text(row["oldest"])
    )


def _event_history(
    row: RowMapping, deliveries: Iterable[RowMapping], done: Mapping[str, tuple[Action, ...]]
) -> EventHistory:
    return EventHistory(
        event=read_event(row["body"]),
        position=row["position"],
        routed_at=read_time(row["routed_at"]),
        route=None if row["route"] is None else read_routing_reason(row["route"]),
        delivery_outcomes=tuple(_delivery_outcome(item, done.get(item["id"], ())) for item in deliveries),
    )


def _delivery_outcome(row: RowMapping, done: tuple[Action, ...]) -> DeliveryOutcome:
    return DeliveryOutcome(
        receiver=row["receiver"],
        receiver_seq=row["receiver_seq"],
        delivery_id=row["id"],
        state=State(row["state"]),
        reason=read_reason(row["reason"]),
        attempts=row["attempts"],
        settled_at=read_time(row["settled_at"]),
        answer=row["answer"],
        actions=done,
    )


@contextmanager
def open_views(url: str) -> Iterator[Views]:
    """Open the store for reading only.

    Raises:
        StoreUnusable: there is none, or it cannot be read.
    """
    try:
        with reader_engine(url).begin() as connection:
            yield Views(connection)
    except DatabaseError as error:
        raise StoreUnusable(f"cannot read {place_of(url)}: {error.orig}; {remedy_for(url)}") from error
