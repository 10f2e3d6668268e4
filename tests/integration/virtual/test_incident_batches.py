"""Incidents of many services share a message in a Slack channel, behind the failures of trainings."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.virtual.test_batches import TEAM, delivering, endings, kinds, names, sizes
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries
from tests.support.virtual_slack import VirtualSlack, shown
from tests.unit.receivers.samples import sample_incident
from watcher.core.batch import Batch
from watcher.core.delivery.state import DELIVERED_IN_BATCH
from watcher.core.event import Event, Kind
from watcher.core.incidents.events import IncidentScope, describe
from watcher.core.incidents.model import IncidentChange, IncidentChangeKind, account_subject
from watcher.core.polling.result import Cause
from watcher.core.training.model import ServiceRef
from watcher.store.polls import PollStore

OPENED, UPDATED, CLOSED = IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED


def scope_of(name: str, account: str) -> IncidentScope:
    return IncidentScope(account=account, service=ServiceRef(account, name) if name else None, service_name=name)


def incident(  # noqa: PLR0913 - the facts of a test
    deliveries_run: VirtualDeliveries,
    name: str,
    kind: IncidentChangeKind,
    *,
    seq: int = 0,
    account: str = "main",
    cause: Cause = Cause.SERVER,
) -> Event:
    """Return the event of an incident of a service; without a name, of the whole account."""
    scope, now = scope_of(name, account), deliveries_run.clock.utc_now()
    subject = account_subject(account) if scope.service is None else scope.service.subject
    of_service = sample_incident(subject, cause=cause, since=now, last_good_at=now, opened_at=now)
    change = IncidentChange(kind=kind, incident=of_service)
    return describe(change, scope, deliveries_run.database.epoch, seq or 1 + (kind is not OPENED), now)


async def record(deliveries_run: VirtualDeliveries, events: Sequence[Event]) -> list[Event]:
    await PollStore(deliveries_run.database).record(Batch(events=tuple(events)))
    deliveries_run.router.wake.tick()
    return list(events)


@pytest.mark.parametrize(
    ("changes", "count", "expected"),
    [
        ((OPENED,), 3, [1, 1, 1]),
        ((OPENED,), 43, [40, 1, 1, 1]),
        ((OPENED, UPDATED), 4, [4]),
        ((OPENED, CLOSED), 5, [5]),
    ],
    ids=str,
)
def test_incidents_of_one_round_are_few_messages(
    tmp_path: Path, changes: tuple[IncidentChangeKind, ...], count: int, expected: list[int]
) -> None:
    async def main(clock: VirtualClock) -> None:
        slack, hook = VirtualSlack(clock, mentions=(TEAM,)), FakeReceiver()
        async with delivering(tmp_path, clock, slack, hook, mentions=(TEAM,)) as deliveries_run:
            for kind in changes:
                await sleep(10)
                await record(deliveries_run, [incident(deliveries_run, name, kind) for name in names(count, "s")])
            await sleep(10)
            assert deliveries_run.broken_invariants() == []
        assert sizes(slack) == expected * len(changes)
        texts = "".join(map(shown, slack.messages))
        assert all(texts.count(name) == len(changes) for name in names(count, "s"))
        assert all(message["text"].count(TEAM) == 1 for message in slack.messages)
        assert set(endings(tmp_path, "slack")) <= {"delivered", DELIVERED_IN_BATCH}
        assert endings(tmp_path, "slack")["delivered"] == sizes(slack).count(1)
        assert [len(events) for events in hook.messages] == [1] * count * len(changes)

    run(main)


def test_the_message_names_the_cause_once_and_counts_the_services(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            await record(deliveries_run, [incident(deliveries_run, name, OPENED) for name in names(30, "s")])
            await sleep(5)
            await record(deliveries_run, [incident(deliveries_run, name, CLOSED) for name in names(30, "s")])
            await sleep(5)
        firsts = [message["text"].splitlines()[0] for message in slack.messages]
        assert firsts == [
            "🔌 AiTEMS does not answer (HTTP 503) · 30 services · account main",
            "🆗 AiTEMS answers again · 30 services · account main",
        ]

    run(main)


@pytest.mark.parametrize("failures", [1, 3, 4])
def test_the_failures_of_trainings_overtake_incidents(tmp_path: Path, failures: int) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            await sleep(2)
            events = await record(deliveries_run, [incident(deliveries_run, "first", OPENED)])
            await sleep(0.1)
            events += await record(deliveries_run, [incident(deliveries_run, name, OPENED) for name in names(12, "s")])
            events += await deliveries_run.record(names(failures))
            events += await deliveries_run.record(names(failures), Kind.FAILED)
            await sleep(20)
            assert deliveries_run.broken_invariants() == []
        found = kinds(slack, events)
        last = max(place for place, message in enumerate(found) if Kind.FAILED in message)
        assert [Kind.UNREACHABLE] * 12 in found[last:]
        assert not [message for message in found[1:last] if Kind.UNREACHABLE in message]

    run(main)


def test_only_incidents_of_services_of_one_account_share_a_message_and_each_keeps_its_order(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            await sleep(2)
            events = await record(deliveries_run, [incident(deliveries_run, "first", OPENED)])
            await sleep(0.1)
            waiting = [incident(deliveries_run, name, OPENED) for name in names(6, "s")]
            waiting += [incident(deliveries_run, name, CLOSED) for name in names(6, "s")]
            waiting += [incident(deliveries_run, name, OPENED, account="other") for name in names(5, "t")]
            waiting += [incident(deliveries_run, "", OPENED)]
            events += await record(deliveries_run, waiting)
            await sleep(20)
            assert deliveries_run.broken_invariants() == []
        down, up = Kind.UNREACHABLE, Kind.RECOVERED
        assert kinds(slack, events) == [[down], [down] * 6, [up] * 6, [down] * 5, [down]]
        accounts = {event.id: event.account for event in events}
        assert [len({accounts[one] for one in ids}) for ids in slack.event_ids()] == [1] * 5

    run(main)


def test_incidents_of_several_causes_share_a_message_that_names_each(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            waiting = [incident(deliveries_run, name, OPENED) for name in names(3, "s")]
            waiting += [incident(deliveries_run, name, OPENED, cause=Cause.PERMISSION) for name in names(3, "t")]
            await record(deliveries_run, waiting)
            await sleep(5)
            assert deliveries_run.broken_invariants() == []
        assert sizes(slack) == [6]
        assert "6 problems with polling · 6 services" in slack.messages[0]["text"]
        assert "NCP_AITEMS_VIEWER" in shown(slack.messages[0])
        assert "Nothing to do but wait" in shown(slack.messages[0])

    run(main)
