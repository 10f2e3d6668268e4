"""Events as a table and as JSON."""

from __future__ import annotations

import json

from tests.unit.reports.facts import EVIL, NOW, STEERING, TIMES, announced, delivery_outcome, event, plain_screen
from watcher.cli.text.history import change_text, history_table, marks
from watcher.core.action import Action, ActionKind
from watcher.core.delivery.reason import Reason, ReasonCode, write_reason
from watcher.core.delivery.state import State
from watcher.core.event import IncidentFacts, Kind
from watcher.reports.history import event_history_json
from watcher.store.views import EventHistory


def shown(*items: EventHistory) -> str:
    screen, stream = plain_screen()
    screen.table(history_table(items, TIMES))
    return stream.getvalue()


def test_a_row_names_the_transition_its_bounds_its_route_and_each_receiver() -> None:
    row = shown(
        announced(delivery_outcome(), delivery_outcome(receiver="hook", state=State.DEAD, reason="http 410"))
    ).splitlines()[1]
    assert row.startswith("between 2026-11-23 02:19:41 and 02:20:11  failed  ")
    assert "evt_abcdefgh  learning -> learningFailed  " in row
    assert row.endswith("dead: hook (http 410); delivered: ml-ops  route 1")


def test_a_narrow_table_keeps_the_state_of_the_worst_delivery() -> None:
    outcomes = [
        delivery_outcome(receiver="a"),
        delivery_outcome(receiver="b"),
        delivery_outcome(receiver="c", state=State.PENDING, reason="http 503"),
        delivery_outcome(receiver="d" * 60, state=State.DEAD, reason="http 410"),
    ]
    row = shown(announced(*outcomes)).splitlines()[1]
    assert row.endswith(f"dead: {'d' * 60} (http 410); pending: c (http 503); delivered: a, b  route 1")


def test_an_event_without_a_delivery_says_so() -> None:
    assert shown(announced()).splitlines()[1].endswith("none        route 1")


def test_an_event_without_a_route_yet_says_so() -> None:
    item = EventHistory(event=event(), routed_at=None, route=None, delivery_outcomes=())
    assert "not routed yet" in shown(item)


def test_every_mark_of_an_event_is_listed() -> None:
    doubtful = event(
        kind=Kind.UNKNOWN_STATUS, to_status="paused", late=True, new=True, confirmed=False, skipped=("waiting",)
    )
    assert list(marks(doubtful)) == ["late", "new", "unconfirmed", "unknown status", "not seen: waiting"]
    assert list(marks(event())) == []


def test_a_change_without_a_transition_has_a_text_too() -> None:
    assert change_text(event(from_status=None, kind=Kind.APPEARED, to_status="waiting")) == "waiting"
    assert change_text(event(kind=Kind.GONE, to_status=None)) == "was learning"
    assert change_text(event(from_status=None, kind=Kind.BACK, to_status=None)) == ""
    facts = IncidentFacts(id="inc_1", kind=Kind.UNREACHABLE, cause="dns", detail="", since=NOW)
    incident = event(kind=Kind.UNREACHABLE, from_status=None, to_status=None, incident=facts)
    assert change_text(incident) == "dns"


def test_text_from_outside_cannot_control_a_terminal_and_stays_in_json() -> None:
    hostile = announced(delivery_outcome(state=State.PENDING, reason=EVIL), to_status=EVIL, service_name=EVIL)
    assert not STEERING.search(shown(hostile))
    document = json.loads(json.dumps(event_history_json(hostile)))
    assert document["to"] == EVIL
    assert document["deliveries"][0]["reason"] == EVIL


def test_json_is_the_event_with_its_route_and_deliveries() -> None:
    document = event_history_json(announced(delivery_outcome()))
    assert (document["id"], document["kind"], document["route"]) == ("evt_abcdefghijklmnop", "failed", "route 1")
    assert document["deliveries"] == [
        {
            "receiver": "ml-ops",
            "receiver_seq": 1,
            "delivery_id": "msg_1",
            "state": "delivered",
            "reason": "delivered",
            "reason_code": {"code": "delivered"},
            "attempts": 1,
            "settled_at": "2026-11-23T02:20:11.000000Z",
            "answer": "200 ok",
            "actions": [],
        }
    ]


def test_who_retried_and_who_dropped_is_beside_the_receiver() -> None:
    def by(kind: ActionKind, author: str) -> Action:
        return Action(kind=kind, target="msg_1", author=author, at=NOW)

    retried = delivery_outcome(actions=(by(ActionKind.RETRY, "mina"), by(ActionKind.RETRY, "mina")))
    assert "delivered: ml-ops (retried by mina)" in shown(announced(retried))
    dropped = write_reason(Reason(code=ReasonCode.DROPPED, name="jun"))
    actions = (by(ActionKind.RETRY, ""), by(ActionKind.DROP, "jun"))
    both = delivery_outcome(state=State.DROPPED, reason=dropped, actions=actions)
    assert "dropped: ml-ops (dropped by jun, retried by hand)" in shown(announced(both))
    (document,) = json.loads(json.dumps(event_history_json(announced(both))["deliveries"]))
    assert [(item["action"], item["by"]) for item in document["actions"]] == [("retry", ""), ("drop", "jun")]


def test_services_of_several_accounts_are_named_with_them() -> None:
    items = [
        EventHistory(event=event(account=account), routed_at=NOW, route=None, delivery_outcomes=())
        for account in ("main", "test")
    ]
    assert "main/" in shown(*items)
    assert "test/" in shown(*items)
    assert "main/" not in shown(items[0])
    screen, stream = plain_screen()
    screen.table(history_table(items[:1], TIMES, several_accounts=True))
    assert "main/" in stream.getvalue()
