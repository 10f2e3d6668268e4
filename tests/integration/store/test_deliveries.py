"""Deliveries from the routing of an event to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from tests.integration.store.conftest import NOW, SECOND
from tests.support import routing
from tests.support.event_facts import receiver_of
from watcher.core.batch import Batch
from watcher.core.delivery.model import Claim, LeasedDelivery, Settlement, Verdict
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Group, Recipient, RoutingDecision
from watcher.pipeline.dead_letters import announce_dead_letters
from watcher.pipeline.expiry import expire, expire_orphans
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.sqlite.database import Database
from watcher.store.url import sqlite_url
from watcher.store.views import HistoryFilter, open_views

LEASE = timedelta(minutes=1)
MakeEvent = Callable[..., Event]


def seal(receiver: str, event: Event, number: int) -> bytes:
    return f"{receiver}:{event.seq}:{number}".encode()


def seal_group(entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
    inside = ",".join(f"{event.version}:{event.seq}:{number}" for event, number in entries)
    return f"group {inside} also {','.join(str(event.version) for event in also)}".encode()


async def enqueue(
    database: Database,
    *events: Event,
    to: tuple[str, ...] = ("hook",),
    group: Group | None = None,
    mentions: tuple[str, ...] = (),
) -> None:
    await PollStore(database).record(Batch(events=events))
    recipients = tuple(Recipient(receiver=name, group=group, mentions=mentions) for name in to)
    plans = [(event, RoutingDecision(to=recipients, reason=routed(1))) for event in events]
    await routing.enqueue(Outbox(database), plans, seal, NOW)


async def claim(  # noqa: PLR0913 - the fields of a claim, all but the store optional
    database: Database,
    *,
    receiver: str = "hook",
    limit: int = 9,
    token: str = "t1",
    now: datetime = NOW,
    by_lookup: bool = False,
) -> list[LeasedDelivery]:
    wanted = Claim(receiver=receiver, limit=limit, token=token, lease=LEASE, by_lookup=by_lookup)
    return [await with_body(database, leased) for leased in await Deliveries(database).claim(wanted, now)]


async def with_body(database: Database, leased: LeasedDelivery) -> LeasedDelivery:
    """Render and store the body of a delivery that has none, as a worker does."""
    if leased.request.body is not None:
        return leased
    entries = list(zip(leased.request.events, leased.receiver_seqs, strict=True))
    return await routing.save_body(Deliveries(database), leased, seal_group(entries, leased.request.also))


async def settle(
    database: Database, leased: LeasedDelivery, state: State = State.DELIVERED, reason: str = "", **changes: object
) -> bool:
    facts = {"state": state, "reason": text_reason(reason or state.value), **changes}
    return await Deliveries(database).settle(leased, Settlement(verdict=Verdict(**facts), at=NOW))  # type: ignore[arg-type]


async def test_an_event_becomes_one_sealed_delivery_for_each_receiver(
    database: Database, make_event: MakeEvent
) -> None:
    event = make_event()
    await enqueue(database, event, to=("hook", "chat"))
    assert await Outbox(database).unrouted(9) == []
    (hook,), (chat,) = await claim(database), await claim(database, receiver="chat")
    assert (hook.request.events, hook.request.body) == ((event,), b"hook:1:1")
    assert hook.request.delivery_id != chat.request.delivery_id


async def test_receiver_seq_has_no_gap_within_a_line(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(1, "v2"))
    await enqueue(database, make_event(2), to=())
    await enqueue(database, make_event(3))
    bodies = []
    while batch := await claim(database):
        bodies += [leased.request.body for leased in batch]
        for leased in batch:
            await settle(database, leased)
    assert bodies == [b"hook:1:1", b"hook:1:1", b"hook:3:2"]


async def test_a_line_keeps_its_order_and_waits_for_no_other_line(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2), make_event(1, "v2"))
    batch = await claim(database)
    assert [(item.request.events[0].version, item.request.events[0].seq) for item in batch] == [("v1", 1), ("v2", 1)]
    assert await claim(database, token="t2") == []
    await settle(database, batch[0])
    (second,) = await claim(database, token="t3")
    assert second.request.events[0].seq == 2


async def test_a_failure_is_sent_before_older_events_of_other_lines(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2", Kind.FAILED))
    (first,) = await claim(database, limit=1)
    assert first.request.events[0].kind is Kind.FAILED


async def test_a_delivery_that_waits_for_its_retry_blocks_its_line(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2))
    (first,) = await claim(database)
    await settle(database, first, State.PENDING, next_at=NOW + SECOND)
    assert await claim(database, token="t2") == []
    assert await Deliveries(database).next_due("hook") == NOW + SECOND
    (again,) = await claim(database, token="t3", now=NOW + SECOND)
    assert (again.request.delivery_id, again.request.attempt) == (first.request.delivery_id, 2)
    assert again.request.body == first.request.body


async def test_held_and_dead_rows_release_their_line(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2), make_event(3))
    for seq, state in [(1, State.HELD), (2, State.DEAD)]:
        (leased,) = await claim(database, token=f"t{seq}")
        assert leased.request.events[0].seq == seq
        await settle(database, leased, state)
    (last,) = await claim(database)
    assert last.request.events[0].seq == 3


async def test_a_stale_token_settles_nothing(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (lost,) = await claim(database)
    (taken,) = await claim(database, token="t2", now=NOW + LEASE)
    assert taken.request.may_be_repeat
    assert not await settle(database, lost)
    assert await settle(database, taken)


async def test_a_delivery_that_a_dead_process_was_sending_is_uncertain_and_due_at_once(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event())
    (sent,) = await claim(database)
    assert await Deliveries(database).reclaim({"hook"}, NOW) == 1
    (again,) = await claim(database, token="t2")
    assert (again.request.may_be_repeat, again.request.delivery_id) == (True, sent.request.delivery_id)


async def test_waking_a_receiver_makes_its_pending_deliveries_due(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    await settle(database, leased, State.PENDING, next_at=NOW + timedelta(hours=1))
    assert await Deliveries(database).wake("hook", NOW) == 1
    assert len(await claim(database, token="t2")) == 1


async def test_the_history_shows_the_state_of_each_delivery(
    path: Path, database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(), to=("hook", "chat"))
    (leased,) = await claim(database)
    await settle(database, leased)
    with open_views(sqlite_url(path)) as views:
        (announced,) = views.history(HistoryFilter())
        states = {delivery_outcome.receiver: delivery_outcome.state for delivery_outcome in announced.delivery_outcomes}
        assert states == {"hook": State.DELIVERED, "chat": State.PENDING}
        assert {(queue.receiver, queue.state): queue.count for queue in views.queues()} == {
            ("hook", State.DELIVERED): 1,
            ("chat", State.PENDING): 1,
        }


async def test_history_is_filtered_by_subject_id_and_kind(
    path: Path, database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2", Kind.FAILED), make_event(2, "v1"))
    with open_views(sqlite_url(path)) as views:
        assert [announced.event.seq for announced in views.history(HistoryFilter(text="pop/v1"))] == [1, 2]
        assert len(views.history(HistoryFilter(kinds=frozenset({"failed"})))) == 1
        assert len(views.history(HistoryFilter(text=make_event(2, "v1").short_id))) == 1
        assert [announced.event.version for announced in views.history(HistoryFilter(limit=2))] == ["v2", "v1"]


GROUP = Group(key="outage-1", patience=timedelta(minutes=2))


async def test_a_group_waits_and_is_sent_as_one_sealed_delivery(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"), group=GROUP)
    assert await claim(database) == []
    (group,) = await claim(database, token="t2", now=NOW + GROUP.patience)
    assert group.request.body == b"group v1:1:1,v2:1:1 also "
    assert [event.version for event in group.request.events] == ["v1", "v2"]
    await settle(database, group, State.PENDING, next_at=NOW)
    (again,) = await claim(database, token="t3")
    assert (again.request.body, again.request.delivery_id) == (group.request.body, group.request.delivery_id)


async def test_nothing_joins_a_released_group(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), group=GROUP)
    await Outbox(database).release(GROUP.key, NOW)
    await enqueue(database, make_event(1, "v2"), group=GROUP)
    (first,) = await claim(database)
    assert [event.version for event in first.request.events] == ["v1"]


async def test_a_full_group_is_followed_by_another_group(database: Database, make_event: MakeEvent) -> None:
    small = replace(GROUP, largest=2)
    await enqueue(database, *(make_event(1, f"v{number}") for number in range(5)), group=small)
    groups = await claim(database, now=NOW + GROUP.patience)
    assert [len(group.request.events) for group in groups] == [2, 2, 1]


async def test_nothing_joins_a_sealed_group(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), group=GROUP)
    (sealed,) = await claim(database, now=NOW + GROUP.patience)
    await enqueue(database, make_event(1, "v2"), group=GROUP)
    await settle(database, sealed, State.DELIVERED)
    (later,) = await claim(database, token="t2", now=NOW + 2 * GROUP.patience)
    assert [event.version for event in later.request.events] == ["v2"]


async def test_an_event_joins_no_group_before_an_earlier_message_of_its_training(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v2"), group=GROUP)
    await enqueue(database, make_event(1, "v1"))
    await enqueue(database, make_event(2, "v1"), group=GROUP)
    due = await claim(database, now=NOW + GROUP.patience)
    assert [[(event.version, event.seq) for event in leased.request.events] for leased in due] == [
        [("v2", 1)],
        [("v1", 1)],
    ]


async def test_a_single_message_releases_the_group_with_the_same_training(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v1"), group=GROUP)
    await enqueue(database, make_event(2, "v1"))
    (group,) = await claim(database)
    assert group.request.events[0].seq == 1
    await settle(database, group)
    (alone,) = await claim(database, token="t2")
    assert (alone.request.events[0].seq, alone.request.body) == (2, b"hook:2:2")


async def test_a_group_names_the_failures_that_had_a_message_of_their_own(
    database: Database, make_event: MakeEvent
) -> None:
    catch_up_id = {"group": GROUP.key}
    quiet = [replace(make_event(1, version), **catch_up_id) for version in ("v1", "v2")]  # type: ignore[arg-type]
    failed = replace(make_event(1, "v3", Kind.FAILED), **catch_up_id)  # type: ignore[arg-type]
    await enqueue(database, failed)
    await enqueue(database, *quiet, group=GROUP)
    (alone,) = await claim(database)
    assert alone.request.events == (failed,)
    await settle(database, alone)
    (group,) = await claim(database, token="t2", now=NOW + GROUP.patience)
    assert group.request.also == (failed,)
    assert group.request.body == b"group v1:1:1,v2:1:1 also v3"


async def test_the_ledger_entries_of_a_group_end_together(
    path: Path, database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"), group=GROUP)
    (group,) = await claim(database, now=NOW + GROUP.patience)
    await settle(database, group)
    with open_views(sqlite_url(path)) as views:
        ends = [
            delivery_outcome.state
            for announced in views.history(HistoryFilter())
            for delivery_outcome in announced.delivery_outcomes
        ]
    assert ends == [State.DELIVERED, State.DELIVERED]


async def test_old_ended_history_is_pruned_but_never_a_trainings_newest_event(
    path: Path, database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(2), make_event(3), make_event(1, "v2"))
    for token in ("t1", "t2"):
        for leased in await claim(database, token=token):
            await settle(database, leased)
    later = NOW + timedelta(days=1)
    assert await Retention(database).prune(NOW) == 0
    assert await Retention(database).prune(later) == 2
    assert await Retention(database).prune(later) == 0
    with open_views(sqlite_url(path)) as views:
        left = [(announced.event.version, announced.event.seq) for announced in views.history(HistoryFilter())]
    assert left == [("v1", 3), ("v2", 1)]
    (last,) = await claim(database, token="t3")
    assert last.request.events[0].seq == 3


async def test_an_event_with_an_open_delivery_is_not_pruned(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2))
    assert await Retention(database).prune(NOW + timedelta(days=1)) == 0


async def test_a_dead_letter_is_not_pruned_before_its_announcement(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1), make_event(2))
    later, store = NOW + timedelta(days=5), Deliveries(database)
    await routing.park(database, "hook", NOW)
    assert len(await expire(store, "hook", later, later)) == 2
    assert await Retention(database).prune(later) == 0
    (announced,) = await announce_dead_letters(store, "hook", later)
    assert receiver_of(announced).count == 2
    assert await Retention(database).prune(later) == 1


async def test_nothing_joins_a_due_group_past_a_single_message_of_the_line(
    database: Database, make_event: MakeEvent
) -> None:
    late = NOW + GROUP.patience
    await enqueue(database, make_event(1))
    await enqueue(database, make_event(2), group=GROUP)
    await enqueue(database, make_event(3))
    await enqueue(database, make_event(4), group=GROUP)
    announced = []
    for turn in range(4):
        for leased in await claim(database, token=f"t{turn}", now=late + GROUP.patience):
            announced.append([event.seq for event in leased.request.events])
            await settle(database, leased)
    assert announced == [[1], [2], [3], [4]]


async def test_a_delivery_to_a_removed_receiver_expires(path: Path, database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(), to=("hook", "removed"))
    deliveries = Deliveries(database)
    assert await expire_orphans(deliveries, frozenset({"hook"}), NOW, NOW) == []
    assert len(await expire_orphans(deliveries, frozenset({"hook"}), NOW + SECOND, NOW)) == 1
    with open_views(sqlite_url(path)) as views:
        (announced,) = views.history(HistoryFilter())
    assert {delivery_outcome.receiver: delivery_outcome.state for delivery_outcome in announced.delivery_outcomes} == {
        "hook": State.PENDING,
        "removed": State.DEAD,
    }


async def test_after_a_step_back_of_the_clock_no_wait_exceeds_the_longest_wait(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event())
    stepped = NOW - timedelta(hours=6)
    assert await Deliveries(database).cap_waits(stepped, timedelta(hours=1)) == 1
    assert await Deliveries(database).next_due("hook") == stepped + timedelta(hours=1)


async def test_a_sweep_leases_only_deliveries_that_were_due_at_its_start(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event())
    wanted = Claim(receiver="hook", limit=9, token="t1", lease=LEASE, due_by=NOW - SECOND)
    assert await Deliveries(database).claim(wanted, NOW) == []


async def test_a_delivery_keeps_its_mentions(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), mentions=("<!here>", "<@U1>"))
    await enqueue(database, make_event(1, "v2"))
    first, second = await claim(database)
    assert (first.request.mentions, second.request.mentions) == (("<!here>", "<@U1>"), ())
    await settle(database, first, State.PENDING, next_at=NOW)
    (again,) = await claim(database, token="t2")
    assert again.request.mentions == ("<!here>", "<@U1>")


async def test_a_group_has_each_mention_of_its_entries_once(database: Database, make_event: MakeEvent) -> None:
    for version, mentions in (("v1", ()), ("v2", ("<@U1>",)), ("v3", ("<!here>", "<@U1>")), ("v4", ())):
        await enqueue(database, make_event(1, version), group=GROUP, mentions=mentions)
    (group,) = await claim(database, now=NOW + GROUP.patience)
    assert group.request.mentions == ("<@U1>", "<!here>")


async def test_a_group_in_front_of_a_trainings_message_takes_no_later_event_of_it(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v2"), group=GROUP)
    await enqueue(database, make_event(1, "v1"))
    await enqueue(database, make_event(2, "v1"), group=GROUP)
    await enqueue(database, make_event(1, "v3"), group=GROUP)
    announced = []
    now = NOW + GROUP.patience
    while batch := await claim(database, limit=1, now=now):
        announced += [(event.version, event.seq) for event in batch[0].request.events]
        await settle(database, batch[0])
    assert announced == [("v2", 1), ("v1", 1), ("v1", 2), ("v3", 1)]


async def test_two_kinds_of_groups_keep_the_order_of_a_training(database: Database, make_event: MakeEvent) -> None:
    other = Group(key="route 2", patience=GROUP.patience)
    await enqueue(database, make_event(1, "v2"), make_event(1, "v1"), group=GROUP)
    await enqueue(database, make_event(2, "v1"), group=other)
    await enqueue(database, make_event(3, "v1"), group=GROUP)
    announced = []
    while batch := await claim(database, limit=1, now=NOW + GROUP.patience):
        announced += [event.seq for event in batch[0].request.events if event.version == "v1"]
        await settle(database, batch[0])
    assert announced == [1, 2, 3]


async def test_all_uncertain_deliveries_are_looked_up_together_before_anything_is_sent(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"), make_event(1, "v3"), make_event(2, "v1"))
    sent = await claim(database, by_lookup=True, limit=2)
    assert [item.in_doubt for item in sent] == [False, False]
    for item, due in zip(sent, (NOW + SECOND, NOW + 9 * SECOND), strict=True):
        await settle(database, item, State.UNCERTAIN, next_at=due, may_be_repeat=True)
    (third,) = await claim(database, by_lookup=True, token="t2")
    assert third.request.events[0].version == "v3", "no lookup is due yet"
    in_doubt = await claim(database, by_lookup=True, limit=1, token="t3", now=NOW + SECOND)
    assert [item.request.events[0].version for item in in_doubt] == ["v1", "v2"]
    assert all(item.in_doubt and item.request.attempt == 1 for item in in_doubt)
    assert all(item.request.attempted_at == NOW for item in in_doubt), "a lookup is no attempt"
    assert [item.due_at for item in in_doubt] == [NOW + SECOND, NOW + 9 * SECOND]


async def test_an_uncertain_delivery_blocks_its_line_until_it_is_settled(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(1), make_event(2))
    (first,) = await claim(database, by_lookup=True)
    await settle(database, first, State.UNCERTAIN, next_at=NOW + SECOND)
    assert await claim(database, by_lookup=True, token="t2") == []
    assert await Deliveries(database).next_due("hook") == NOW + SECOND
    (again,) = await claim(database, by_lookup=True, token="t3", now=NOW + SECOND)
    await settle(database, again, State.DELIVERED)
    (second,) = await claim(database, by_lookup=True, token="t4")
    assert second.request.events[0].seq == 2


async def test_lookups_are_counted_until_the_next_attempt(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (sent,) = await claim(database, by_lookup=True)
    await settle(database, sent, State.UNCERTAIN, next_at=NOW, may_be_repeat=True)
    (once,) = await claim(database, by_lookup=True, token="t2")
    await settle(database, once, State.UNCERTAIN, next_at=NOW, lookups=1)
    (twice,) = await claim(database, by_lookup=True, token="t3")
    assert (twice.request.lookups, twice.request.may_be_repeat) == (1, True)
    await settle(database, twice, State.PENDING, next_at=NOW, certain=True)
    (again,) = await claim(database, by_lookup=True, token="t4")
    assert (again.request.lookups, again.request.may_be_repeat, again.request.attempt) == (0, False, 2)


async def test_a_crash_during_a_lookup_leaves_the_delivery_uncertain(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    (sent,) = await claim(database, by_lookup=True)
    await settle(database, sent, State.UNCERTAIN, next_at=NOW, lookups=1)
    await claim(database, by_lookup=True, token="t2")
    assert await Deliveries(database).reclaim({"hook"}, NOW + SECOND) == 1
    (again,) = await claim(database, by_lookup=True, token="t3", now=NOW + SECOND)
    assert (again.in_doubt, again.request.lookups, again.request.attempted_at) == (True, 1, NOW)


async def test_a_throttled_attempt_is_not_counted(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event())
    for token in ("t1", "t2"):
        (leased,) = await claim(database, token=token)
        assert leased.request.attempt == 1
        await settle(database, leased, State.PENDING, next_at=NOW, uncounted=True)


async def test_after_an_outage_an_uncertain_delivery_still_waits(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"))
    doubtful, failed = await claim(database, by_lookup=True)
    await settle(database, doubtful, State.UNCERTAIN, next_at=NOW + SECOND)
    await settle(database, failed, State.PENDING, next_at=NOW + SECOND)
    assert await Deliveries(database).wake("hook", NOW) == 1


async def test_content_is_simplified_by_as_many_steps_as_the_verdict_says(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event())
    (leased,) = await claim(database)
    await settle(database, leased, State.PENDING, next_at=NOW, degrade=4)
    (again,) = await claim(database, token="t2")
    assert again.request.degrade == 4
