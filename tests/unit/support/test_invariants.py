"""The invariant checker: it must catch each planted loss, double and disorder."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.invariants import DaemonRun, Evidence, LedgerEntry, repeats, slowest_seconds, violations
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from tests.unit.receivers.samples import CASES
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind, event_id
from watcher.core.routing.reason import routed
from watcher.simulator import CallKind
from watcher.store.views import DeliveryOutcome, EventHistory

START = datetime(2026, 11, 23, tzinfo=UTC)
SUBJECT = ("s", "pop", "v")
KEY = "training:main/s/pop/v"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def shown(second: float, status: str) -> ShownAnswer:
    return ShownAnswer(at(second), SUBJECT, status, CallKind.VIEW)


def event(seq: int, before: str, after: str, second: float) -> Event:
    return Event(
        id=event_id("e", KEY, seq),
        kind=Kind.PROGRESS,
        subject=KEY,
        seq=seq,
        reason="moved-forward",
        account="main",
        service="s",
        training_type="pop",
        version="v",
        from_status=before,
        to_status=after,
        after=at(second - 1.1),
        before=at(second + 0.1),
        recorded_at=at(second + 0.1),
    )


def announced(item: Event, state: State = State.DELIVERED) -> EventHistory:
    outcome = DeliveryOutcome(
        receiver="hook",
        receiver_seq=item.seq,
        delivery_id=f"msg_{item.seq}",
        state=state,
        reason=text_reason(""),
        attempts=1,
        settled_at=None,
        answer=None,
    )
    return EventHistory(event=item, routed_at=item.recorded_at, route=routed(1), delivery_outcomes=(outcome,))


def received(item: Event, webhook_id: str | None = None, note: str = "") -> Received:
    data = {
        "id": item.id,
        "seq": item.seq,
        "receiver_seq": item.seq,
        "account": "main",
        "service": "s",
        "training_type": "pop",
        "version": "v",
        "incident": None,
        "note": note,
    }
    body = json.dumps({"type": item.type, "data": data}).encode()
    return Received(item.recorded_at, {"webhook-id": webhook_id or f"msg_{item.seq}"}, body)


def entry(item: Event, ending: str | None = "delivered") -> LedgerEntry:
    return LedgerEntry(item.id, "hook", f"msg_{item.seq}", ending)


def repeated(case: str) -> dict[str, object]:
    """Return an event about a completed training that was announced a second time, under the next number."""
    first = replace(CASES[case], subject=KEY, seq=1, id=event_id("e", KEY, 1))
    second = replace(first, seq=2, id=event_id("e", KEY, 2))
    return {"announced": [announced(first), announced(second)], "shown": []}


FIRST = event(1, "waiting", "learning", 2)
SECOND = event(2, "learning", "completed", 4)
GOOD = Evidence(
    shown=[
        shown(0, "waiting"),
        shown(1, "waiting"),
        shown(2, "learning"),
        shown(3, "learning"),
        shown(4, "completed"),
        shown(5, "completed"),
    ],
    runs=[DaemonRun(at(-1), at(60))],
    announced=[announced(FIRST), announced(SECOND)],
    received={"hook": [received(FIRST), received(SECOND)]},
    epoch="e",
    ledger=[entry(FIRST), entry(SECOND)],
    routed=lambda _event: frozenset({"hook"}),
)


def test_correct_evidence_has_no_violation() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("kept", "answers", "holds"), [("the first ones", 6, True), ("the first ones", 4, False), ("all", 6, False)]
)
def test_where_repeats_are_left_out_the_latest_answer_still_shows_the_status(
    kept: str, answers: int, *, holds: bool
) -> None:
    late = replace(SECOND, after=at(30), before=at(30.1))
    chain, shown_until = [announced(FIRST), announced(late)], GOOD.shown[:answers]
    found = violations(replace(GOOD, announced=chain, shown=shown_until, repeats_left_out=kept != "all"))
    assert any("was not shown" in text for text in found) is not holds


def test_a_repeat_under_the_same_id_with_the_same_bytes_is_allowed_and_counted() -> None:
    again = [received(FIRST), received(FIRST), received(SECOND)]
    assert violations(replace(GOOD, received={"hook": again})) == []
    assert repeats(again) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"announced": [announced(FIRST)], "received": {"hook": [received(FIRST)]}}, "completed was shown twice"),
        ({"received": {"hook": [received(FIRST)]}}, "never arrived"),
        ({"received": {"hook": [received(FIRST), received(FIRST, "msg_x"), received(SECOND)]}}, "under 2 ids"),
        ({"received": {"hook": [received(FIRST), received(FIRST, None, "x"), received(SECOND)]}}, "different bodies"),
        ({"received": {"hook": [received(SECOND), received(FIRST)]}}, "came after"),
        ({"announced": [announced(FIRST), announced(SECOND, State.PENDING)]}, "still pending"),
        ({"announced": [announced(FIRST), replace(announced(SECOND), routed_at=None)]}, "never routed"),
        ({"epoch": "another"}, "not the id of"),
        ({"ledger": [entry(FIRST)]}, "is entered for []"),
        ({"ledger": [entry(FIRST), entry(SECOND), entry(SECOND)]}, "has 2 entries"),
        ({"ledger": [entry(FIRST), entry(SECOND, None)]}, "no ending"),
        ({"routed": lambda _event: frozenset({"hook", "chat"})}, "its route names ['chat', 'hook']"),
        ({"announced": [announced(FIRST), announced(replace(SECOND, seq=3))]}, "a gap or a repeat"),
        ({"announced": [announced(FIRST), announced(FIRST)]}, "one id"),
        ({"received": {"hook": [received(FIRST), received(replace(SECOND, id="evt_strange"))]}}, "does not know"),
        (repeated("update-failed"), "update p0000kkkkkk ended as update-failed, update-failed"),
        (repeated("unusable"), "2 events about no result"),
        ({"shown": [item for item in GOOD.shown if item.status != "completed"]}, "was not shown"),
    ],
    ids=[
        "lost",
        "lost-on-the-way",
        "double",
        "two-bodies",
        "disorder",
        "open",
        "unrouted",
        "id",
        "no-entry",
        "two-entries",
        "no-ending",
        "not-all-routed",
        "gap",
        "one-id",
        "unknown",
        "update-twice",
        "unusable-twice",
        "not-shown",
    ],
)
def test_each_planted_fault_is_caught(fault: dict[str, object], words: str) -> None:
    found = violations(replace(GOOD, **fault))  # type: ignore[arg-type]
    assert any(words in violation for violation in found), found


def test_a_delivery_that_ended_without_success_need_not_arrive() -> None:
    dead = {"announced": [announced(FIRST), announced(SECOND, State.DEAD)], "received": {"hook": [received(FIRST)]}}
    ledger = [entry(FIRST), entry(SECOND, "dead")]
    assert violations(replace(GOOD, **dead, ledger=ledger)) == []  # type: ignore[arg-type]


SILENCED_FIRST = {
    "announced": [announced(FIRST, State.SILENCED), announced(SECOND)],
    "ledger": [entry(FIRST, "silenced"), entry(SECOND)],
}


def test_a_silenced_delivery_has_ended_and_uses_its_number() -> None:
    silenced = replace(GOOD, **SILENCED_FIRST, received={"hook": [received(SECOND)]})  # type: ignore[arg-type]
    assert violations(silenced) == []


@pytest.mark.parametrize("state", [State.DEAD, State.HELD, State.DROPPED])
@pytest.mark.parametrize("arrived", [False, True])
def test_an_ended_delivery_uses_its_number_whether_or_not_it_arrived(state: State, *, arrived: bool) -> None:
    ended = replace(
        GOOD,
        announced=[announced(FIRST, state), announced(SECOND)],
        received={"hook": [*([received(FIRST)] if arrived else []), received(SECOND)]},
        ledger=[entry(FIRST, state.value), entry(SECOND)],
    )
    assert violations(ended) == []


def test_a_silenced_delivery_that_arrives_is_caught() -> None:
    found = violations(replace(GOOD, **SILENCED_FIRST))  # type: ignore[arg-type]
    assert any("arrived although silenced" in violation for violation in found)


def test_the_slowest_arrival_counts_from_the_record() -> None:
    slow = replace(received(SECOND), at=SECOND.recorded_at + timedelta(seconds=7))
    assert slowest_seconds(replace(GOOD, received={"hook": [received(FIRST), slow, slow]})) == 7.0


def test_an_answer_at_the_time_of_a_death_is_not_of_the_next_daemon() -> None:
    back = [shown(0, "learning"), shown(1, "learning"), shown(2, "requesting"), shown(3, "requesting")]
    runs = [DaemonRun(at(-1), at(2)), DaemonRun(at(2), at(60))]
    nothing = {"announced": [], "received": {"hook": []}, "ledger": []}
    assert violations(replace(GOOD, shown=back, runs=runs, **nothing)) == []  # type: ignore[arg-type]
    assert violations(replace(GOOD, shown=back, runs=[DaemonRun(at(-1), at(60))], **nothing))  # type: ignore[arg-type]


def test_a_change_that_only_a_dying_daemon_received_may_be_missing() -> None:
    recorded = {"announced": [announced(FIRST)], "received": {"hook": [received(FIRST)]}, "ledger": [entry(FIRST)]}
    short = replace(GOOD, runs=[DaemonRun(at(-1), at(4.5))], **recorded)  # type: ignore[arg-type]
    assert violations(short) == []


def test_the_baseline_may_be_from_a_dying_daemon_or_from_the_next_one() -> None:
    short, long = DaemonRun(at(-1), at(0.5)), DaemonRun(at(1), at(60))
    for status in ("waiting", "learning"):
        later = [shown(0, "waiting"), shown(2, status), shown(3, status)]
        assert violations(replace(GOOD, shown=later, runs=[short, long], announced=[], received={}, ledger=[])) == []


def test_a_change_without_an_event_after_a_sure_baseline_is_caught() -> None:
    answers = [shown(0, "waiting"), shown(2, "waiting"), shown(3, "learning"), shown(4, "learning")]
    runs = [DaemonRun(at(-1), at(0.5)), DaemonRun(at(1), at(60))]
    (found,) = violations(replace(GOOD, shown=answers, runs=runs, announced=[], received={}, ledger=[]))
    assert "learning was shown twice" in found


def test_a_late_record_counts_unless_another_status_was_seen_after_the_answers() -> None:
    late = replace(SECOND, recorded_at=at(30))
    assert violations(replace(GOOD, announced=[announced(FIRST), announced(late)])) == []
    again = replace(late, after=at(25), before=at(29))
    answers = [*GOOD.shown, shown(25, "learning"), shown(29, "completed")]
    (found,) = violations(replace(GOOD, announced=[announced(FIRST), announced(again)], shown=answers))
    assert "completed was shown twice" in found


def test_a_view_before_the_record_of_an_unconfirmed_end_repeats_no_step_back() -> None:
    end = replace(SECOND, confirmed=False, recorded_at=at(5.5))
    answers = [*GOOD.shown[:5], shown(5, "learning"), shown(8, "learning"), shown(9, "completed")]
    recorded = {"announced": [announced(FIRST), announced(end)], "shown": answers}
    assert violations(replace(GOOD, **recorded)) == []  # type: ignore[arg-type]
    later = [*GOOD.shown[:5], shown(6, "learning"), shown(8, "learning"), shown(9, "completed")]
    (found,) = violations(replace(GOOD, **{**recorded, "shown": later}))  # type: ignore[arg-type]
    assert "learning was shown twice" in found


def test_a_status_must_be_shown_three_times_where_a_list_may_only_show_whether_the_service_exists() -> None:
    nothing = {"announced": [], "received": {}, "ledger": [], "runs": [DaemonRun(at(-1), at(60))]}
    answers = [shown(0, "waiting"), shown(2, "waiting"), shown(3, "learning"), shown(4, "learning")]
    evidence = replace(GOOD, shown=answers, answers_for_record=3, **nothing)  # type: ignore[arg-type]
    assert violations(evidence) == []
    (found,) = violations(replace(evidence, shown=[*answers, shown(5, "learning")]))
    assert "learning was shown 3 times" in found


def incident_body(kind: Kind, seq: int) -> dict[str, object]:
    """Return the webhook data of an incident of an account, or of its clock."""
    identity = {"id": f"evt_{kind}_{seq}", "seq": seq, "receiver_seq": seq, "incident": {"kind": kind.value}}
    return {**identity, "service": None, "training_type": None, "version": None}


def arrived(*items: dict[str, object]) -> list[Received]:
    """Return arrivals with these data, in this order."""
    bodies = [json.dumps({"type": "incident", "data": item}).encode() for item in items]
    return [Received(at(number), {"webhook-id": f"msg_{number}"}, body) for number, body in enumerate(bodies)]


def test_an_account_and_its_clock_have_separate_numbers() -> None:
    account, clock = Kind.UNREACHABLE, Kind.CLOCK_SKEW
    items = [incident_body(account, 1), incident_body(clock, 1), incident_body(account, 2), incident_body(clock, 2)]
    found = violations(replace(GOOD, received={"hook": arrived(*items)}))
    assert not [text for text in found if "came after" in text]
    found = violations(replace(GOOD, received={"hook": arrived(*items[1:3])}))
    assert [text for text in found if "came after" in text], "the account's first is missing"
