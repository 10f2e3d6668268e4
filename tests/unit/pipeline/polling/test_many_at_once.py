"""The work for many trainings, services or incidents at once grows with their number, and not with its square."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest import mock

import pytest

from tests.unit.receivers.samples import sample_event, sample_incident
from watcher.core.batch import Batch, IncidentRow, SavedState
from watcher.core.event import Kind, Restore
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.schedule import Cadence
from watcher.core.polling.service_event import ServiceFinding
from watcher.core.training.decision import Decision, DecisionReason
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.decider import MANY, _in_one_message
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.services import ServiceLists

NOW: Final = datetime(2026, 11, 28, tzinfo=UTC)
COUNT: Final = 30
CADENCE: Final = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=60))


class Clocks:
    """Clocks that stand still."""

    def utc_now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class SavedRows:
    """A store with open incidents of services."""

    epoch = "e"
    restore: Restore | None = None

    def __init__(self, incidents: int = 0) -> None:
        self.rows = tuple(
            IncidentRow(subject=service.subject, seq=1, incident=sample_incident(service.subject))
            for service in services(incidents)
        )

    async def load(self) -> SavedState:
        return SavedState(snapshots=(), polls=(), incident_rows=self.rows)

    async def record(self, _batch: Batch) -> list[Snapshot]:
        return []


def services(count: int) -> list[ServiceRef]:
    return [ServiceRef("main", f"s{number}") for number in range(count)]


def loaded(store: SavedRows) -> PollCache:
    cache = PollCache(store)
    asyncio.run(cache.load())
    return cache


def decision(number: int, kind: Kind | None, group: str | None = None) -> Decision:
    ref = TrainingRef("main", "s", "pop", f"v{number}")
    event = None if kind is None else replace(sample_event(), kind=kind, group=group, version=ref.version)
    snapshot = Snapshot(ref=ref, status="learning", seen_after=NOW, first_seen_at=NOW)
    return Decision(snapshot=snapshot, reason=DecisionReason.NOT_LISTED, event=event)


@pytest.mark.parametrize("kind", [Kind.GONE, Kind.BACK])
@pytest.mark.parametrize("others", [0, COUNT])
def test_decisions_of_one_message_are_not_compared_with_each_other(kind: Kind, others: int) -> None:
    poll = Poll(service=ServiceRef("main", "s"), cadence=CADENCE)
    alone = [decision(number, kind) for number in range(COUNT)]
    rest = [decision(number, None) for number in range(others)]
    grouped = [decision(number, kind, "catch-up") for number in range(others)]
    with mock.patch.object(Decision, "__eq__", autospec=True, side_effect=Decision.__eq__) as compared:
        together = _in_one_message([*rest, *alone, *grouped], kind, poll, NOW)
    assert compared.call_count == 0
    groups = [item.event.group if item.event else None for item in together]
    own = groups[others]
    assert own is not None
    assert groups == [None] * others + [own] * COUNT + ["catch-up"] * others


def test_few_decisions_stay_alone() -> None:
    poll = Poll(service=ServiceRef("main", "s"), cadence=CADENCE)
    few = [decision(number, Kind.GONE) for number in range(MANY - 1)]
    assert _in_one_message(few, Kind.GONE, poll, NOW) == few


class CountedKind:
    """Counts how often the kinds of findings are read."""

    def __init__(self, slot: Any) -> None:
        self.slot = slot
        self.reads = 0

    def __get__(self, instance: Any, owner: Any) -> Any:
        self.reads += 1
        return self.slot.__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        self.slot.__set__(instance, value)


def finding(service: ServiceRef, kind: Kind) -> ServiceFinding:
    return ServiceFinding(kind=kind, service=service, attributes=WatchAttributes(), after=NOW, before=NOW)


@pytest.mark.parametrize("kind", [Kind.APPEARED, Kind.GONE, Kind.BACK])
def test_the_services_of_a_list_are_counted_once(kind: Kind) -> None:
    unused: Any = None
    lists = ServiceLists(
        unused,
        unused,
        unused,
        cache=loaded(SavedRows()),
        incident_monitor=unused,
        targets=unused,
        clock=Clocks(),
        on_found=unused,
        on_gone=unused,
    )
    reads = []
    for count in (COUNT, 2 * COUNT):
        counted = CountedKind(vars(ServiceFinding)["kind"])
        with mock.patch.object(ServiceFinding, "kind", counted):
            changes = lists._changes([finding(service, kind) for service in services(count)], ())
        reads.append(counted.reads)
        assert len({event.group for event in changes.events}) == 1
    assert reads[1] == 2 * reads[0]
    other = Kind.GONE if kind is Kind.APPEARED else Kind.APPEARED
    many, one = [finding(service, kind) for service in services(MANY)], finding(ServiceRef("main", "t"), other)
    groups = [event.group for event in lists._changes([*many, one], ()).events]
    assert [group is None for group in groups] == [False] * MANY + [True]


class CountedScopes(dict[str, Any]):
    """Counts how often all of it is read."""

    reads = 0

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        return super().__iter__()


@pytest.mark.parametrize("watched", [COUNT, COUNT - 1, 1])
def test_open_incidents_do_not_each_read_all_subjects(watched: int) -> None:
    clock = Clocks()
    monitor = IncidentMonitor(loaded(SavedRows(COUNT)), Thresholds(), ClockTrust(clock))
    monitor.start(Poll(service=service, cadence=CADENCE) for service in services(watched))
    monitor._scopes._scopes = scopes = CountedScopes(monitor._scopes._scopes)
    assert len(monitor.orphans()) == COUNT - watched
    assert scopes.reads == 0
