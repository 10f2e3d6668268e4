"""What ``status`` knows and how it says it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tests.unit.reports.facts import (
    EVIL,
    NOW,
    POP,
    SHOP,
    STEERING,
    announced,
    delivery_outcome,
    plain_screen,
    poll,
    queue,
    snapshot,
    state,
)
from watcher.cli.text.status import show_status
from watcher.core.delivery.model import State
from watcher.core.delivery.receiver_health import ReceiverState
from watcher.core.incidents.advice import advice
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.model import Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.reports.status import (
    FailedDelivery,
    KnownTraining,
    PollReport,
    StatusReport,
    failed_deliveries_in,
    known,
    poll_reports,
    status_json,
)
from watcher.store.views import QueueState

FAILING = state(failures=3, failed_since=NOW - timedelta(minutes=3), cause=Cause.DNS, detail="no such name")
INCIDENT = Incident(
    id="inc_abcdefghijkl",
    subject="account:my%20team",
    cause=Cause.DNS,
    detail="no such name",
    since=NOW,
    last_good_at=None,
    opened_at=NOW,
)


def report(
    snapshots: Sequence[Snapshot] = (),
    polls: Sequence[PollReport] = (),
    queues: Sequence[QueueState] = (),
    failed_deliveries: Sequence[FailedDelivery] = (),
    incidents: Sequence[Incident] = (),
) -> StatusReport:
    return StatusReport(
        at=NOW,
        trainings=tuple(known(snapshots, polls)),
        polls=polls,
        incidents=incidents,
        queues=queues,
        failed_deliveries=failed_deliveries,
        receivers=frozenset({"ml-ops"}),
    )


def shown(item: StatusReport) -> str:
    screen, stream = plain_screen()
    show_status(item, screen)
    return stream.getvalue()


def only(items: Sequence[KnownTraining]) -> KnownTraining:
    (item,) = items
    return item


def test_a_training_takes_its_name_and_its_age_from_the_poll_that_serves_it() -> None:
    polled = PollReport(poll=poll(name="shop-main"), state=state(good_answered_at=NOW))
    item = only(list(known([snapshot(seen_after=NOW - timedelta(hours=1))], [polled])))
    assert (item.name, item.last_seen, item.watched) == ("shop-main", NOW, True)


def test_a_training_that_the_latest_poll_did_not_find_was_seen_when_it_was_last_there() -> None:
    polled = PollReport(poll=poll(), state=state(good_answered_at=NOW))
    seen = NOW - timedelta(hours=1)
    assert only(list(known([snapshot(seen_after=seen, absent=1)], [polled]))).last_seen == seen


def test_a_training_is_not_served_by_the_poll_at_another_one() -> None:
    other = TrainingRef(POP.account, POP.service, POP.type, "maqll0other")
    polls = [
        PollReport(poll=poll(training=other, name="other"), state=state()),
        PollReport(poll=poll(training=POP, name="mine"), state=state()),
    ]
    assert only(list(known([snapshot()], polls))).name == "mine"


def test_a_training_that_no_poll_serves_is_not_watched_any_more() -> None:
    item = report([snapshot()])
    assert "not watched any more" in shown(item)
    assert not only(item.trainings).watched


def test_a_row_says_since_when_and_how_long_ago() -> None:
    polled = PollReport(poll=poll(name="shop-main"), state=state(good_answered_at=NOW - timedelta(minutes=2)))
    moved = snapshot(
        seen_after=NOW - timedelta(minutes=3), changed_after=NOW - timedelta(minutes=5), changed_before=NOW
    )
    assert re.split(" {2,}", shown(report([moved], [polled])).splitlines()[1]) == [
        "shop-main",
        "pop",
        "maqll0abcde",
        "learning",
        "between 2026-11-23 02:15:11 and 02:20:11",
        "2m ago",
    ]


def test_a_status_that_waits_to_be_confirmed_is_called_that() -> None:
    pending = UnconfirmedStatus(status="completed", asked_at=NOW, answered_at=NOW, source=Source.LIST)
    assert "learning (completed, not confirmed yet)" in shown(report([snapshot(pending=pending)]))
    assert "  (completed, not confirmed yet)" in shown(report([snapshot(status=None, pending=pending)]))


def test_a_gone_training_is_called_gone() -> None:
    assert "gone: not found any more" in shown(report([snapshot(gone=True, absent=2)]))


def test_a_failing_poll_is_named_with_cause_since_detail_and_advice() -> None:
    text = shown(report([], [PollReport(poll=poll(name="shop-main"), state=FAILING)]))
    assert "cannot see shop-main since 2026-11-23 02:17:11 UTC, 3 times in a row: dns" in text
    assert "  no such name\n" in text
    assert advice(Cause.DNS) in text


def test_a_poll_that_was_never_tried_is_named_and_is_no_problem() -> None:
    item = report([], poll_reports([poll(name="shop-main")], {}))
    assert "not looked at yet: shop-main" in shown(item)
    assert item.problems == []


def test_a_poll_is_joined_with_its_own_state() -> None:
    other = poll(training=POP)
    joined = poll_reports([poll(), other], {POP.subject: FAILING})
    assert [item.failing for item in joined] == [False, True]
    assert joined[0].state == PollState(key=SHOP.subject)


def test_deliveries_are_counted_by_receiver_with_the_age_of_the_oldest_that_waits() -> None:
    queues = [
        queue("ml-ops", State.DELIVERED, 7, timedelta(days=9)),
        queue("ml-ops", State.PENDING, 2, timedelta(minutes=4)),
        queue("ml-ops", State.SENDING, 1, timedelta(minutes=1)),
        queue("ml-ops", State.UNCERTAIN, 1, timedelta(minutes=5)),
    ]
    heading, row = shown(report(queues=queues)).splitlines()[2:4]
    assert heading.split() == ["RECEIVER", "DELIVERED", "WAITING", "UNCERTAIN", "OLDEST", "HELD", "DEAD"]
    assert row.split() == ["ml-ops", "7", "3", "1", "5m", "ago", "0", "0"]


def test_what_waits_for_a_receiver_without_a_configuration_is_marked() -> None:
    assert "not configured any more" in shown(report(queues=[queue("old", State.PENDING, 1)]))


def test_a_receiver_that_was_removed_with_something_waiting_is_not_well() -> None:
    gone = ReceiverState(name="old", failing_since=NOW, reason="receiver-removed")
    assert replace(report(), failing_receivers=[gone]).problems == ["receiver old: refuses for good: receiver-removed"]


def test_dead_and_held_deliveries_are_found_and_named() -> None:
    items = [
        announced(delivery_outcome(), delivery_outcome(receiver="hook", state=State.DEAD, reason="http 410")),
        announced(delivery_outcome()),
    ]
    failed_deliveries = list(failed_deliveries_in(items))
    assert [(item.receiver, item.state, item.reason) for item in failed_deliveries] == [
        ("hook", State.DEAD, "http 410")
    ]
    assert "evt_abcdefgh  hook" in shown(report(failed_deliveries=failed_deliveries))


def test_many_dead_deliveries_are_named_up_to_a_limit() -> None:
    failed_deliveries = list(failed_deliveries_in([announced(delivery_outcome(state=State.DEAD))])) * 12
    assert "and 2 more" in shown(report(failed_deliveries=failed_deliveries))


def test_each_thing_that_is_not_well_is_a_problem() -> None:
    item = report(
        polls=[PollReport(poll=poll(name="shop-main"), state=FAILING)],
        queues=[queue("ml-ops", State.DEAD, 2), queue("ml-ops", State.HELD, 1), queue("ml-ops", State.PENDING, 9)],
        incidents=[INCIDENT],
    )
    assert item.problems == [
        "cannot see shop-main: dns",
        "open incident: unreachable of account:my%20team",
        "receiver ml-ops: 2 deliveries are dead",
        "receiver ml-ops: 1 delivery is held",
    ]
    assert shown(item).endswith("not all is well, see above\n")


def test_without_problems_all_is_well() -> None:
    assert shown(report()).endswith("all well\n")


def test_an_open_incident_is_shown_with_what_it_is_about() -> None:
    assert "inc_abcdefgh  unreachable  account:my team  2026-11-23 02:20:11  dns" in shown(report(incidents=[INCIDENT]))


def test_text_from_outside_steers_no_terminal_but_stays_in_json() -> None:
    polled = PollReport(poll=poll(name=EVIL), state=state(failures=1, cause=Cause.BAD_ANSWER, detail=EVIL))
    item = report([snapshot(status=EVIL)], [polled])
    assert not STEERING.search(shown(item))
    document = json.loads(json.dumps(status_json(item)))
    assert document["trainings"][0]["status"] == EVIL
    assert document["polls"][0]["detail"] == EVIL


def test_json_announces_programs_the_same() -> None:
    polled = PollReport(poll=poll(name="shop-main"), state=FAILING)
    document = status_json(report([snapshot()], [polled], [queue("old", State.DEAD, 1)], (), [INCIDENT]))
    assert document["trainings"] == [
        {
            "account": "main",
            "service": "6wxgu1abcde",
            "training_type": "pop",
            "version": "maqll0abcde",
            "service_name": "shop-main",
            "status": "learning",
            "unconfirmed_status": None,
            "after": None,
            "before": "2026-11-23T02:20:11.000000Z",
            "last_seen_at": "2026-11-23T02:20:11.000000Z",
            "gone": False,
            "watched": True,
        }
    ]
    assert document["deliveries"] == [
        {
            "receiver": "old",
            "configured": False,
            "state": "dead",
            "count": 1,
            "oldest": "2026-11-23T02:20:11.000000Z",
        }
    ]
    assert len(json.loads(json.dumps(document))["problems"]) == 3


def test_a_difference_from_the_documents_is_shown_and_is_no_problem() -> None:
    deviation = Deviation(description=f"new field: {EVIL}", poll=SHOP.subject, seen_at=NOW, sample={"foo": "str"})
    item = replace(report(), deviations=[deviation])
    text = shown(item)
    assert not STEERING.search(text)
    assert "new field: red" in text
    assert f"2026-11-23 02:20:11  {SHOP.subject}" in text
    assert text.endswith("all well\n")
    assert status_json(item)["deviations"] == [
        {
            "description": deviation.description,
            "since": "2026-11-23T02:20:11.000000Z",
            "poll": SHOP.subject,
            "sample": {"foo": "str"},
        }
    ]


def test_many_differences_are_counted_instead_of_filling_the_screen() -> None:
    deviations = [
        Deviation(description=f"new field: f{n}", poll=SHOP.subject, seen_at=NOW, sample={}) for n in range(15)
    ]
    assert "and 5 more: see aitems-watcher status --json" in shown(replace(report(), deviations=deviations))


def test_during_an_outage_the_last_known_status_stands_with_its_age_and_what_to_do() -> None:
    seen = state(
        good_answered_at=NOW - timedelta(minutes=4),
        failures=3,
        failed_since=NOW - timedelta(minutes=3),
        cause=Cause.DNS,
        detail="no such name",
    )
    polls = [PollReport(poll=poll(), state=seen)]
    text = shown(report([snapshot(seen_after=NOW - timedelta(minutes=4))], polls, incidents=[INCIDENT]))
    assert re.search("learning .* 4m ago", text)
    assert f"dns: {advice(Cause.DNS)}" in text
    (incident,) = json.loads(json.dumps(status_json(report(incidents=[INCIDENT]))))["incidents"]
    assert (incident["cause"], incident["advice"]) == ("dns", advice(Cause.DNS))
