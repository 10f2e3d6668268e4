"""The data of ``status``, and its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.reports.facts import (
    EVIL,
    NOW,
    POP,
    SHOP,
    STEERING,
    TIMES,
    event,
    plain_screen,
    poll,
    queue,
    snapshot,
    state,
)
from watcher.cli.text.status import show_status
from watcher.core.delivery.reason import RECEIVER_REMOVED, text_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.durations.current_run import Bounds
from watcher.core.health.problems import RUNNING
from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.core.incidents.model import Incident
from watcher.core.messages.advice import advice
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.absence import Missing
from watcher.core.training.model import ServiceRef, Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.reports.status import (
    FailedDelivery,
    KnownTraining,
    PollReport,
    StatusReport,
    failed_deliveries_in,
    known,
    poll_reports,
)
from watcher.reports.status_json import status_json
from watcher.reports.trainings import TrainingTotals, text_by_id, totals, unique_names, watched
from watcher.store.delivery.views import DeliveryView
from watcher.store.trainings import TrainingCount
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
        totals=totals_of(snapshots, polls),
        polls=polls,
        incidents=incidents,
        queues=queues,
        failed_deliveries=failed_deliveries,
        receivers=frozenset({"ml-ops"}),
        daemon=RUNNING,
    )


def totals_of(snapshots: Sequence[Snapshot], polls: Sequence[PollReport]) -> TrainingTotals:
    watches = watched(polled.poll for polled in polls)
    counts = {
        item.ref: TrainingCount(service=item.ref.service_ref, status=item.status, gone=item.gone, count=1)
        for item in snapshots
    }
    single = [counts[ref] for ref in watches.single if ref in counts]
    return totals(list(counts.values()), single, watches)


def texts(item: StatusReport) -> list[str]:
    return [problem.text for problem in item.problems]


def shown(item: StatusReport) -> str:
    screen, stream = plain_screen()
    show_status(item, TIMES, screen)
    return stream.getvalue()


def only(items: Sequence[KnownTraining]) -> KnownTraining:
    (item,) = items
    return item


def test_a_training_takes_its_name_and_its_age_from_the_poll_that_serves_it() -> None:
    polled = PollReport(poll=poll(name="shop-main"), state=state(good_answered_at=NOW))
    item = only(list(known([snapshot(seen_after=NOW - timedelta(hours=1))], [polled])))
    assert (item.name, item.last_seen, item.watched) == ("shop-main", NOW, True)


def test_a_training_missing_from_the_latest_poll_keeps_the_time_of_its_last_answer() -> None:
    polled = PollReport(poll=poll(), state=state(good_answered_at=NOW))
    seen = NOW - timedelta(hours=1)
    assert only(list(known([snapshot(seen_after=seen, absent=1)], [polled]))).last_seen == seen


def test_a_training_that_its_list_hides_has_the_age_of_its_own_view_and_a_failing_view_is_a_problem() -> None:
    seen = NOW - timedelta(hours=1)
    own = PollState(key=POP.subject, good_asked_at=seen, good_answered_at=seen)
    failing = replace(own, failures=2, failed_since=NOW, cause=Cause.BAD_ANSWER, detail="status is null")
    for view in (own, failing):
        polls = poll_reports([poll(name="shop-main")], {SHOP.subject: state(), POP.subject: view})
        item = report([snapshot(seen_after=seen)], polls)
        assert only(item.trainings).last_seen == seen
        assert only(item.trainings).name == "shop-main"
        expected = [] if view is own else ["cannot poll shop-main pop maqll0abcde: bad-answer"]
        assert texts(item) == expected


def test_the_state_of_a_training_that_no_list_watches_is_no_poll() -> None:
    other = TrainingRef(POP.account, "another", POP.type, POP.version)
    states = {SHOP.subject: state(), other.subject: state(key=other.subject, failures=1)}
    assert [item.poll.key for item in poll_reports([poll()], states)] == [SHOP.subject]


def test_a_training_is_not_served_by_the_poll_of_another_training() -> None:
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


def test_a_row_has_the_bounds_of_the_status_and_the_age_of_the_answer() -> None:
    polled = PollReport(poll=poll(name="shop-main"), state=state(good_answered_at=NOW - timedelta(minutes=2)))
    moved = snapshot(
        seen_after=NOW - timedelta(minutes=3), changed_after=NOW - timedelta(minutes=5), changed_before=NOW
    )
    assert re.split(" {2,}", shown(report([moved], [polled])).splitlines()[1]) == [
        "shop-main",
        "pop",
        "maqll0abcde",
        "learning",
        "0s",
        "between 2026-11-23 02:15:11 and 02:20:11",
        "2m ago",
    ]


def test_an_unconfirmed_status_is_shown_as_such() -> None:
    pending = UnconfirmedStatus(status="completed", asked_at=NOW, answered_at=NOW, source=Source.LIST)
    assert re.search("  learning .*  completed, not confirmed yet", shown(report([snapshot(pending=pending)])))
    unconfirmed = shown(report([snapshot(status=None, pending=pending)]))
    assert re.search(r"  \(completed\) .*  not confirmed yet", unconfirmed)


def test_a_training_that_is_gone_is_marked() -> None:
    assert "gone: not found any more" in shown(report([snapshot(gone=True, absent=2)]))


def test_a_failing_poll_has_its_time_cause_detail_and_advice() -> None:
    text = shown(report([], [PollReport(poll=poll(name="shop-main"), state=FAILING)]))
    assert "cannot poll shop-main since 2026-11-23 02:17:11 UTC, 3 times in a row: dns" in text
    assert "  no such name\n" in text
    assert advice(Cause.DNS) in text


def test_a_poll_without_an_attempt_is_named_and_is_no_problem() -> None:
    item = report([], poll_reports([poll(name="shop-main")], {}))
    assert "not polled yet: shop-main" in shown(item)
    assert item.problems == []


def test_a_poll_is_joined_with_its_own_state() -> None:
    other = poll(training=POP)
    joined = poll_reports([poll(), other], {POP.subject: FAILING})
    assert [item.failing for item in joined] == [False, True]
    assert joined[0].state == PollState(key=SHOP.subject)


def test_deliveries_are_counted_by_receiver_with_the_age_of_the_oldest_pending_one() -> None:
    queues = [
        queue("ml-ops", State.DELIVERED, 7, timedelta(days=9)),
        queue("ml-ops", State.PENDING, 2, timedelta(minutes=4)),
        queue("ml-ops", State.SENDING, 1, timedelta(minutes=1)),
        queue("ml-ops", State.UNCERTAIN, 1, timedelta(minutes=5)),
    ]
    heading, row = shown(report(queues=queues)).splitlines()[2:4]
    assert heading.split() == ["RECEIVER", "DELIVERED", "WAITING", "UNCERTAIN", "OLDEST", "HELD", "DEAD"]
    assert row.split() == ["ml-ops", "7", "3", "1", "5m", "ago", "0", "0"]


def test_deliveries_of_a_removed_receiver_are_marked() -> None:
    assert "not configured any more" in shown(report(queues=[queue("old", State.PENDING, 1)]))


def test_a_removed_receiver_with_pending_deliveries_is_a_problem() -> None:
    gone = ReceiverState(name="old", failing_since=NOW, reason=RECEIVER_REMOVED)
    assert texts(replace(report(), failing_receivers=[gone])) == ["receiver old is failing: receiver-removed"]


def delivery(state: State, events: int = 1) -> DeliveryView:
    return DeliveryView(
        id="msg_1",
        receiver="hook",
        state=state,
        reason=text_reason("http 410"),
        attempts=1,
        may_be_repeat=False,
        created_at=NOW,
        attempted_at=NOW,
        next_at=None,
        settled_at=None,
        answer=None,
        events=(event(),) * events,
    )


def test_dead_and_held_deliveries_are_listed_by_event() -> None:
    found = list(failed_deliveries_in([delivery(State.DEAD), delivery(State.PENDING), delivery(State.HELD, 2)]))
    assert [(item.receiver, item.state, item.reason) for item in found] == [
        ("hook", State.DEAD, "http 410"),
        ("hook", State.HELD, "http 410"),
        ("hook", State.HELD, "http 410"),
    ]
    assert "evt_abcdefgh  hook" in shown(report(failed_deliveries=found))


def test_only_the_first_dead_deliveries_are_listed() -> None:
    found = list(failed_deliveries_in([delivery(State.DEAD)])) * 12
    queues = [
        QueueState(receiver="hook", state=State.DEAD, count=10_000, oldest=NOW),
        QueueState(receiver="chat", state=State.HELD, count=12, oldest=NOW),
        QueueState(receiver="chat", state=State.PENDING, count=7, oldest=NOW),
    ]
    text = shown(report(failed_deliveries=found, queues=queues))
    assert "and 10002 more: see aitems-watcher deliveries list" in text


@pytest.mark.parametrize("failing", [1, 2, 7, 100])
def test_an_outage_has_one_line_and_one_advice(failing: int) -> None:
    services = [ServiceRef("main", f"s{number}") for number in range(failing)]
    polls = [PollReport(poll=poll(service), state=FAILING) for service in services]
    item = report(polls=polls, incidents=[replace(INCIDENT, subject=service.subject) for service in services])
    text = shown(item)
    assert text.count(advice(Cause.DNS)) == 1
    assert text.count("cannot poll s0") == 1
    assert len(text.splitlines()) < 25
    assert (f"and {failing - 5} more" in text) == (failing > 5)


def test_two_causes_have_two_lines_and_an_account_where_there_are_several() -> None:
    polls = [
        PollReport(poll=poll(ServiceRef("main", "s1")), state=FAILING),
        PollReport(poll=poll(ServiceRef("test", "s1")), state=FAILING),
        PollReport(poll=poll(ServiceRef("test", "s2")), state=replace(FAILING, cause=Cause.QUOTA, failures=1)),
    ]
    text = shown(report(polls=polls))
    assert "cannot poll main/s1, test/s1 since 2026-11-23 02:17:11 UTC, 3 times in a row: dns" in text
    assert "cannot poll s2 since 2026-11-23 02:17:11 UTC, once: quota" in text
    assert (text.count(advice(Cause.DNS)), text.count(advice(Cause.QUOTA))) == (1, 1)


def test_failing_polls_incidents_and_failed_deliveries_are_problems() -> None:
    item = report(
        polls=[PollReport(poll=poll(name="shop-main"), state=FAILING)],
        queues=[queue("ml-ops", State.DEAD, 2), queue("ml-ops", State.HELD, 1), queue("ml-ops", State.PENDING, 9)],
        incidents=[INCIDENT],
    )
    assert texts(item) == [
        "open incident: unreachable of account:my team",
        "cannot poll shop-main: dns",
        "receiver ml-ops: 2 deliveries are dead",
        "receiver ml-ops: 1 delivery is held",
    ]
    last = "NOT OK: 4 problems, the gravest: open incident: unreachable of account:my team"
    assert shown(item).endswith(f"\n{last}\n")


def test_without_problems_the_last_line_counts_services_and_trainings_in_progress() -> None:
    polls = [PollReport(poll=poll(), state=state()), PollReport(poll=poll(training=POP), state=state())]
    done = snapshot(ref=TrainingRef(POP.account, POP.service, POP.type, "v2"), status="completed")
    unwatched = snapshot(ref=TrainingRef("main", "other", "pop", "v3"))
    text = shown(report([snapshot(), done, unwatched], polls))
    assert text.endswith("\nOK: polling 1 service, 1 training in progress\n")


def test_the_last_line_says_ok_only_when_everything_was_polled_since_the_start() -> None:
    polled = PollReport(poll=poll(), state=state())
    untried = PollReport(poll=poll(), state=PollState(key="x"))
    pending = NotReadyReason(code=NotReady.FIRST_ROUND, detail="x")
    waiting = replace(report(polls=[polled]), daemon=replace(report().daemon, reasons=(pending,)))
    starting = "\nSTARTING: not everything was polled since the start, 0 trainings in progress\n"
    assert shown(waiting).endswith(starting)
    assert shown(report(polls=[polled, untried])).endswith(starting)
    assert shown(report()).splitlines()[-1].startswith("NOTHING POLLED: ")
    assert [status_json(item)["condition"] for item in (waiting, report(), report(polls=[polled]))] == [
        "starting",
        "nothing-polled",
        "ok",
    ]


def test_an_open_incident_is_shown_with_its_subject() -> None:
    assert "inc_abcdefgh  unreachable  account:my team  dns    2026-11-23 02:20:11" in shown(
        report(incidents=[INCIDENT])
    )


def test_text_from_outside_cannot_control_a_terminal_and_stays_in_json() -> None:
    polled = PollReport(poll=poll(name=EVIL), state=state(failures=1, cause=Cause.BAD_ANSWER, detail=EVIL))
    item = report([snapshot(status=EVIL)], [polled])
    assert not STEERING.search(shown(item))
    document = json.loads(json.dumps(status_json(item)))
    assert document["trainings"][0]["status"] == EVIL
    assert document["polls"][0]["detail"] == EVIL


def test_json_has_the_same_data_as_the_tables() -> None:
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
            "run": None,
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


def test_a_deviation_is_shown_and_is_no_problem() -> None:
    deviation = Deviation(description=f"new field: {EVIL}", poll=SHOP.subject, seen_at=NOW, sample={"foo": "str"})
    item = replace(report(polls=[PollReport(poll=poll(), state=state())]), deviations=[deviation])
    text = shown(item)
    assert not STEERING.search(text)
    assert "new field: red" in text
    assert f"2026-11-23 02:20:11  {SHOP.subject}" in text
    assert text.endswith("OK: polling 1 service, 0 trainings in progress\n")
    assert status_json(item)["deviations"] == [
        {
            "description": deviation.description,
            "since": "2026-11-23T02:20:11.000000Z",
            "poll": SHOP.subject,
            "sample": {"foo": "str"},
        }
    ]


def test_only_the_first_deviations_are_listed() -> None:
    deviations = [
        Deviation(description=f"new field: f{n}", poll=SHOP.subject, seen_at=NOW, sample={}) for n in range(15)
    ]
    assert "and 5 more: see aitems-watcher status --json" in shown(replace(report(), deviations=deviations))


def test_during_an_outage_the_last_status_has_its_age_and_the_remedy() -> None:
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
    assert text.count(advice(Cause.DNS)) == 1, "the failing poll and its incident share the advice"
    (incident,) = json.loads(json.dumps(status_json(report(incidents=[INCIDENT]))))["incidents"]
    assert (incident["cause"], incident["advice"]) == ("dns", advice(Cause.DNS))


def test_an_overdue_retraining_is_listed_and_is_no_problem_of_the_watcher() -> None:
    start = Bounds(after=NOW - timedelta(hours=9, minutes=5), before=NOW - timedelta(hours=9))
    state = Retraining(
        ref=RetrainingRef("main", "6wxgu1abcde", "pop"),
        since=NOW,
        reported=frozenset({Missing.START}),
        cycle=Cycle(period=timedelta(hours=6), since=NOW - timedelta(days=1), last_update=start),
    )
    item = replace(report(), overdue=[state])
    assert item.problems == report().problems
    assert "6wxgu1abcde      pop   no start  between 2026-11-22 17:15:11 and 17:20:11" in shown(item)
    overdue: Any = item.as_json()["overdue"]
    (listed,) = overdue
    assert (listed["missing"], listed["cycle_seconds"]) == (["start"], 21_600)


NAMES = {
    ServiceRef("main", "s1"): {"shop", "shop/eu"},
    ServiceRef("main", "s2"): {"우리 쇼핑몰"},
    ServiceRef("test", "s3"): {"news"},
    ServiceRef("main", "s4"): {"news"},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("shop", "main/s1"),
        ("shop/pop/v1", "main/s1/pop/v1"),
        ("shop/eu/pop", "main/s1/pop"),
        ("우리 쇼핑몰", "main/s2"),
        ("news", "news"),
        ("s1/pop", "s1/pop"),
        ("evt_abc", "evt_abc"),
        ("", ""),
    ],
)
def test_a_part_of_a_training_may_begin_with_the_name_of_its_service(text: str, found: str) -> None:
    assert text_by_id(text, NAMES) == found


def test_a_name_of_several_services_is_shown_for_none_of_them() -> None:
    assert unique_names(NAMES) == {ServiceRef("main", "s1"): "shop", ServiceRef("main", "s2"): "우리 쇼핑몰"}
