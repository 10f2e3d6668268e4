"""Deliveries through a real store to a Slack with every fault: one message per event, in order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process, routing
from tests.support.clocks import trusted_clock
from tests.support.slack import CHANNEL, TOKEN, Bucket, LocalSlack, SlackFault, in_turn, local_slack
from tests.unit.receivers.samples import of_version
from watcher.clock import Clock
from watcher.core.batch import Batch
from watcher.core.delivery.model import Claim, Policy
from watcher.core.delivery.state import OPEN_STATES, OnUncertain, State
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.receivers import Spec
from watcher.receivers.slack.bot import SlackReceiver
from watcher.store.deliveries import Deliveries
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

NAME: Final = "chat"
FAST: Final = Policy(first_retry=timedelta(milliseconds=100), max_retry=timedelta(milliseconds=400))
"""A fiftieth of the default waits."""
FAULTS: Final = (*SlackFault, "internal_error", "invalid_blocks", "metadata_too_large", "brand_new_error", None, None)


class FastSlackReceiver(SlackReceiver):
    """Sends single events at ten times Slack's pace, for a fake Slack that allows it."""

    pace_seconds = 0.1
    batch_max = 1


@asynccontextmanager
async def sending(
    folder: Path, slack: LocalSlack, policy: Policy = FAST, kind: type[SlackReceiver] = FastSlackReceiver
) -> AsyncIterator[tuple[Database, DeliveryWorker, SlackReceiver]]:
    """Give a store and a worker for the bot; deliveries that the last worker was sending are uncertain."""
    clock = Clock()
    database = open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())
    http = HttpClient(HttpSettings(timeout_seconds=0.5), clock)
    spec = Spec(name=NAME, http=http, clock=clock, secret=lambda: Secret(TOKEN), channel=CHANNEL, api_url=slack.url)
    await Deliveries(database).reclaim({NAME}, clock.utc_now())
    receiver = kind(spec)
    made = workers({NAME: receiver}, Deliveries(database), policy, clock, trusted_clock(clock))
    yield database, made[NAME], receiver
    await http.aclose()
    database.close()


async def enqueue(database: Database, events: Sequence[Event]) -> None:
    await PollStore(database).record(Batch(events=tuple(events)))
    plans = [(event, RoutingDecision(to=(Recipient(receiver=NAME),), reason=routed(1))) for event in events]
    await routing.enqueue(Outbox(database), plans, lambda *_: None, Clock().utc_now())


async def is_failing(database: Database) -> bool:
    return (await Deliveries(database).receiver_summary(NAME)).state.failing_since is not None


def changes(versions: int, each: int) -> list[Event]:
    """Return the changes of several trainings, in the order of polls."""
    return [of_version(f"v{version}", seq=seq, group=None) for seq in range(1, each + 1) for version in range(versions)]


def states(folder: Path) -> Mapping[State, int]:
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return {queue.state: queue.count for queue in views.queues()}


async def until_settled(folder: Path, worker: DeliveryWorker, seconds: float = 60.0) -> None:
    task = asyncio.create_task(worker.run())
    await daemon_in_process.eventually(lambda: not OPEN_STATES & states(folder).keys(), seconds)
    worker.stop()
    await task


def announced(slack: LocalSlack) -> list[str]:
    """Return the event ids in the channel, in order; the delivery id of a message without metadata."""
    known = [message.get("metadata", {}).get("event_payload", {}) for message in slack.messages]
    return [
        str(facts.get("event_ids") or message["text"].rpartition("`msg_")[2])
        for facts, message in zip(known, slack.messages, strict=True)
    ]


def assert_one_each_in_order(slack: LocalSlack, events: Sequence[Event]) -> None:
    assert len(slack.messages) == len(events), Counter(announced(slack)).most_common(3)
    # Each message names its training and sequence number, also without metadata.
    place = {f"v{number}": 0 for number in range(100)}
    order = {event.id: (event.version, event.seq) for event in events}
    for identity in announced(slack):
        if identity in order:
            version, seq = order[identity]
            assert version is not None
            assert seq > place[version], f"{version}: {seq} after {place[version]}"
            place[version] = seq


@pytest.mark.parametrize("seed", range(3))
async def test_every_fault_leaves_one_message_per_event_in_order(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - the order of the faults
    faults = [*FAULTS, *FAULTS]
    draw.shuffle(faults)
    events = changes(versions=5, each=4)
    slack = LocalSlack(fault=in_turn(faults), pace=Bucket(3, 10.0), tier=Bucket(1e9, 1.0))
    async with local_slack(slack), sending(tmp_path, slack) as (database, worker, _):
        await enqueue(database, events)
        await until_settled(tmp_path, worker)
    assert states(tmp_path) == {State.DELIVERED: len(events)}
    assert slack.too_fast == 0
    assert_one_each_in_order(slack, events)
    assert not [text for text in slack.texts if "May be a repeat" in text], (
        "a message that was looked up counts as a repeat"
    )


async def test_one_sweep_settles_the_uncertain_deliveries_of_a_crash(tmp_path: Path) -> None:
    events = changes(versions=6, each=1)
    slack = LocalSlack(pace=Bucket(100, 10.0))
    async with local_slack(slack):
        async with sending(tmp_path, slack) as (database, _, receiver):
            await enqueue(database, events)
            claim = Claim(receiver=NAME, limit=6, token="t1", lease=timedelta(minutes=1), by_lookup=True)
            leased = await Deliveries(database).claim(claim, Clock().utc_now())
            for each in leased[:4]:
                await receiver.send(each.request)
        async with sending(tmp_path, slack) as (_, worker, _):
            await until_settled(tmp_path, worker)
    assert states(tmp_path) == {State.DELIVERED: 6}
    assert_one_each_in_order(slack, events)
    assert slack.calls["chat.postMessage"] == 6
    assert slack.calls["conversations.history"] == 2, (
        "not one lookup for all, and one more for the messages that it did not find"
    )


async def test_an_uncertain_delivery_blocks_only_its_training(tmp_path: Path) -> None:
    slow = Policy(first_retry=timedelta(seconds=1))
    events = changes(versions=2, each=2)
    slack = LocalSlack(fault=in_turn([SlackFault.LATE_RESET]), pace=Bucket(3, 10.0))
    async with local_slack(slack), sending(tmp_path, slack, slow) as (database, worker, _):
        await enqueue(database, events)
        await until_settled(tmp_path, worker)
    assert [order.split()[0] for order in announced(slack)] == [
        events[0].id,
        events[1].id,
        events[3].id,
        events[2].id,
    ]


@pytest.mark.parametrize(("policy", "texts"), [(OnUncertain.RESEND, 2), (OnUncertain.HOLD, 1)])
async def test_without_the_scope_for_lookups_the_policy_decides(
    tmp_path: Path, policy: OnUncertain, texts: int
) -> None:
    events = changes(versions=1, each=1)
    slack = LocalSlack(fault=in_turn([SlackFault.LATE_RESET]), pace=Bucket(3, 10.0), scopes=frozenset({"chat:write"}))
    waits = Policy(first_retry=FAST.first_retry, on_uncertain=policy)
    async with local_slack(slack), sending(tmp_path, slack, waits) as (database, worker, _):
        await enqueue(database, events)
        await until_settled(tmp_path, worker)
    assert len(slack.messages) == texts
    assert states(tmp_path) == {State.DELIVERED if texts == 2 else State.HELD: 1}
    assert ["May be a repeat" in text for text in slack.texts] == [False, True][:texts]


async def test_a_throttled_channel_waits_as_long_as_slack_asks(tmp_path: Path) -> None:
    events = changes(versions=4, each=1)
    slack = LocalSlack(fault=in_turn([SlackFault.THROTTLED]), pace=Bucket(3, 10.0))
    async with local_slack(slack), sending(tmp_path, slack) as (database, worker, _):
        await enqueue(database, events)
        await until_settled(tmp_path, worker)
        attempts = [
            delivery_outcome.attempts
            for announced in daemon_in_process.history(tmp_path)
            for delivery_outcome in announced.delivery_outcomes
        ]
    assert slack.refused["ratelimited"] == 1, "a message was sent during the pause"
    assert attempts == [1] * 4, "a 429 counted as an attempt"


async def test_r15_an_archived_channel_parks_its_deliveries_with_the_reason(tmp_path: Path) -> None:
    events = changes(versions=2, each=1)
    slack = LocalSlack(fault=lambda _: "is_archived", pace=Bucket(3, 10.0))
    async with local_slack(slack), sending(tmp_path, slack) as (database, worker, _):
        await enqueue(database, events)
        await worker.sweep()
        reasons = {
            reason_text(delivery_outcome.reason)
            for announced in daemon_in_process.history(tmp_path)
            for delivery_outcome in announced.delivery_outcomes
        }
    assert any(reason.startswith("is_archived: unarchive the channel") for reason in reasons), reasons
    assert slack.messages == []


async def test_a_parked_channel_recovers_when_a_lookup_finds_its_message(tmp_path: Path) -> None:
    events = changes(versions=3, each=1)
    slack = LocalSlack(fault=in_turn(["is_archived", SlackFault.LATE_RESET]), pace=Bucket(3, 10.0))
    async with local_slack(slack), sending(tmp_path, slack) as (database, worker, _):
        await enqueue(database, events)
        await worker.sweep()
        assert await is_failing(database)
        await until_settled(tmp_path, worker)
        assert not await is_failing(database)
    assert_one_each_in_order(slack, events)


async def test_a_clear_failure_after_a_manual_retry_is_not_held_again(tmp_path: Path) -> None:
    events = changes(versions=1, each=1)
    faults = in_turn([SlackFault.LATE_RESET, "brand_new_error", "brand_new_error"])
    slack = LocalSlack(fault=faults, pace=Bucket(3, 10.0), scopes=frozenset({"chat:write"}))
    waits = Policy(first_retry=FAST.first_retry, on_uncertain=OnUncertain.HOLD)
    async with local_slack(slack), sending(tmp_path, slack, waits) as (database, worker, receiver):
        await enqueue(database, events)
        await until_settled(tmp_path, worker)
        assert states(tmp_path) == {State.HELD: 1}
        await OperatorActions(database, {NAME}).retry(["msg_"], "mina", Clock().utc_now())
        again = workers({NAME: receiver}, Deliveries(database), waits, Clock(), trusted_clock(Clock()))
        await until_settled(tmp_path, again[NAME])
    assert states(tmp_path) == {State.DELIVERED: 1}
    assert ["May be a repeat" in text for text in slack.texts] == [False, True]
