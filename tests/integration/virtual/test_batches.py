"""Several events for one Slack channel share a message, failures first; each event keeps its entry in the ledger."""

from __future__ import annotations

import itertools
from asyncio import sleep
from collections import Counter
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries, running_deliveries
from tests.support.virtual_slack import LOST, VirtualSlack, shown
from watcher.core.delivery.state import DELIVERED_IN_BATCH
from watcher.core.event import Event, Kind

TEAM = "<!subteam^S0123456789>"


def names(count: int, prefix: str = "v") -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


def delivering(
    folder: Path, clock: VirtualClock, slack: VirtualSlack, *others: FakeReceiver, **options: Any
) -> AbstractAsyncContextManager[VirtualDeliveries]:
    return running_deliveries(folder, clock, [slack.bot(), *others], slacks={"slack": slack}, **options)


def sizes(slack: VirtualSlack) -> list[int]:
    return [len(ids) for ids in slack.event_ids()]


def kinds(slack: VirtualSlack, events: list[Event]) -> list[list[Kind]]:
    """Return the kinds of the events of each message, in the order of their ids."""
    kind_of = {event.id: event.kind for event in events}
    return [[kind_of[identity] for identity in ids] for ids in slack.event_ids()]


def endings(folder: Path, receiver: str) -> Counter[str | None]:
    ledger = daemon_in_process.evidence(folder, [], [], {}).ledger
    assert ledger is not None
    return Counter(entry.ending for entry in ledger if entry.receiver == receiver)


@pytest.mark.parametrize(("count", "expected"), [(3, [1, 1, 1]), (4, [4]), (60, [40, 20])])
def test_the_failures_of_one_answer_are_few_messages_at_once(tmp_path: Path, count: int, expected: list[int]) -> None:
    async def main(clock: VirtualClock) -> None:
        slack, hook = VirtualSlack(clock), FakeReceiver()
        async with delivering(tmp_path, clock, slack, hook) as deliveries_run:
            await sleep(2)
            await deliveries_run.record(names(count), Kind.FAILED)
            await sleep(4)
            assert deliveries_run.broken_invariants() == []
        assert sizes(slack) == expected
        assert slack.messages[0]["seconds"] < 2.2
        assert all(name in "".join(map(shown, slack.messages)) for name in names(count))
        assert endings(tmp_path, "slack") == {"delivered" if count == 3 else DELIVERED_IN_BATCH: count}
        assert [len(events) for events in hook.messages] == [1] * count, "a webhook gets single events"
        assert endings(tmp_path, "hook") == {"delivered": count}

    run(main)


def test_what_waits_for_the_channel_is_joined_with_failures_first(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock, mentions=(TEAM,))
        async with delivering(tmp_path, clock, slack, mentions=(TEAM,)) as deliveries_run:
            await sleep(2)
            events = await deliveries_run.record(["first"])
            await sleep(0.1)
            for number in range(25):
                events += await deliveries_run.record([f"v{number}"])
                events += await deliveries_run.record([f"v{number}"])
                events += await deliveries_run.record([f"f{number}"], Kind.FAILED)
            await sleep(6)
            assert deliveries_run.broken_invariants() == []
        found = kinds(slack, events)
        assert found[:2] == [[Kind.PROGRESS], [Kind.FAILED] * 25 + [Kind.PROGRESS] * 15]
        assert [len(message) for message in found] == [1, 40, 35]
        assert max(map(len, found)) <= 40
        assert all(message["text"].count(TEAM) == 1 for message in slack.messages)
        assert slack.messages[1]["text"].startswith("❌ 25 trainings failed · 15 other changes")

    run(main)


def test_a_failure_takes_the_earlier_changes_of_its_training_along(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            await sleep(2)
            events = await deliveries_run.record(["first"])
            await sleep(0.1)
            events += await deliveries_run.record(names(50, "other"))
            for _ in range(3):
                events += await deliveries_run.record(names(10))
            events += await deliveries_run.record(names(10), Kind.FAILED)
            await sleep(4)
            assert deliveries_run.broken_invariants() == []
        assert kinds(slack, events)[1] == [Kind.PROGRESS, Kind.PROGRESS, Kind.PROGRESS, Kind.FAILED] * 10
        assert sizes(slack) == [1, 40, 40, 10]

    run(main)


def test_an_uncertain_batch_is_looked_up_as_one_message(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        lost = iter([LOST, "internal_error", LOST])
        slack = VirtualSlack(clock, fault=lambda _: next(lost, None))
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            for _ in range(3):
                await deliveries_run.record(names(10), Kind.FAILED)
                await sleep(5)
            await sleep(120)
            assert deliveries_run.broken_invariants() == []
        assert sizes(slack) == [10, 10, 10]
        assert not [message for message in slack.messages if "may be a repeat" in message["text"].lower()]

    run(main)


def test_an_outage_of_the_channel_ends_with_few_messages_in_order(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock, fault=lambda _: "service_away" if clock.monotonic() < 40 else None)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            for number in range(10):
                await deliveries_run.record([f"v{number}"])
                await deliveries_run.record([f"v{number % 5}"], Kind.FAILED)
                await sleep(5)
            await sleep(120)
            assert deliveries_run.broken_invariants() == []
        assert len(slack.messages) <= 8
        times = [message["seconds"] for message in slack.messages]
        assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(times))

    run(main)


def test_a_batch_that_slack_refuses_is_simplified_as_one_message_and_nothing_waits_for_it(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack = VirtualSlack(clock, fault=lambda body: "invalid_blocks" if "v003" in str(body.get("blocks")) else None)
        async with delivering(tmp_path, clock, slack) as deliveries_run:
            await deliveries_run.record(names(30), Kind.FAILED)
            await sleep(1.1)
            await deliveries_run.record(names(5, "w"), Kind.FAILED)
            await sleep(5)
            assert deliveries_run.broken_invariants() == []
        assert sorted(sizes(slack)) == [5, 30]
        assert all(name in "".join(map(shown, slack.messages)) for name in names(30))
        assert slack.refused == ["invalid_blocks"] * 2

    run(main)


def test_a_parked_channel_gets_its_batches_after_a_restart(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack, ops = VirtualSlack(clock, fault=lambda _: "is_archived"), FakeReceiver(name="ops", pace_key="ops")
        async with delivering(tmp_path, clock, slack, ops, to=["slack"]) as deliveries_run:
            await deliveries_run.record(names(10), Kind.FAILED)
            await sleep(2)
            await deliveries_run.record(names(10, "w"), Kind.FAILED)
            await sleep(2)
        assert slack.refused == ["is_archived"]
        slack.fault = lambda _: None
        async with delivering(tmp_path, clock, slack, ops, to=["slack"]) as deliveries_run:
            await sleep(30)
            assert deliveries_run.broken_invariants() == []
        assert sizes(slack) == [10, 10]
        assert ops.kinds == ["receiver-failing", "receiver-recovered"]

    run(main)


def test_a_failure_waits_in_a_digest_only_if_the_training_failed_more_often_than_the_limit(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        slack, hook = VirtualSlack(clock), FakeReceiver()
        async with delivering(tmp_path, clock, slack, hook, flap_limit=3) as deliveries_run:
            for number in range(12):
                kind = Kind.FAILED if number in {4, 6, 8, 10} else Kind.PROGRESS
                events = await deliveries_run.record(["v1"], kind)
                await sleep(2)
                arrived = [event.id for event in hook.events]
                waits = kind is Kind.PROGRESS and number >= 3
                assert (events[0].id in arrived) is not (waits or number == 10), number
            await sleep(700)
            assert len(hook.events) == 12
            assert deliveries_run.broken_invariants() == []

    run(main)
