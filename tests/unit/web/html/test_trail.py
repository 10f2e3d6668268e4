"""The trail of an event: each step in the order of the decisions, in the words of ``route`` where that has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from tests.unit.reports.facts import NOW
from tests.unit.reports.test_route import TEXT
from watcher.config import Config, load
from watcher.core.action import Action, ActionKind
from watcher.core.delivery.reason import NO_REASON, Reason, ReasonCode, http_reason, text_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event, Kind
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.reason import NO_ROUTE, NotAnnounced, RoutingCode, RoutingReason, routed
from watcher.core.routing.silence import Silence
from watcher.core.training.catch_up import Outage
from watcher.reports.route import report_on
from watcher.reports.sample_event import SampleRequest, sample_event
from watcher.reports.trail import Trail, trail_of
from watcher.store.delivery.views import SentDelivery
from watcher.store.views import DeliveryOutcome, EventHistory
from watcher.web.html.language.texts import Texts
from watcher.web.html.times import PageTimes
from watcher.web.html.trail import TrailTexts

FAILED = SampleRequest(kind=Kind.FAILED)
PROGRESS = SampleRequest(kind=Kind.PROGRESS, status="learning", from_status="waiting")
SILENCE = Silence(
    id="sil_1",
    match=Matcher(patterns={"type": ("pop",)}),
    starts_at=NOW,
    ends_at=NOW + timedelta(hours=1),
    author="kim",
    reason="moving <data>",
)


@pytest.fixture(scope="module")
def config() -> Config:
    return load(Path("config.toml"), text=TEXT)


def outcome(receiver: str, state: State = State.DELIVERED, **values: Any) -> DeliveryOutcome:
    facts: dict[str, Any] = {"reason": NO_REASON, "attempts": 1, "settled_at": NOW, "answer": None, **values}
    return DeliveryOutcome(receiver=receiver, receiver_seq=1, delivery_id=f"msg_{receiver}", state=state, **facts)


def trail(  # noqa: PLR0913 - the facts of one event
    config: Config,
    event: Event,
    reason: RoutingReason | None,
    *outcomes: DeliveryOutcome,
    recent: int = 1,
    sent: dict[str, SentDelivery] | None = None,
    silences: tuple[Silence, ...] = (SILENCE,),
) -> Trail:
    entry = EventHistory(
        event=event, routed_at=None if reason is None else NOW, route=reason, delivery_outcomes=outcomes
    )
    return trail_of(entry, config.routes, 10, recent, sent or {}, {item.id: item for item in silences})


def lines(found: Trail) -> list[tuple[str, str]]:
    written = TrailTexts(Texts(), PageTimes(NOW, Texts(), UTC)).lines(found)
    return [(plain(line.title), plain(line.text)) for line in written]


def nobody(found: Trail) -> str:
    return plain(TrailTexts(Texts(), PageTimes(NOW, Texts(), UTC)).nobody(found))


def delivery(found: Trail) -> str:
    (item,) = found.deliveries
    return plain(TrailTexts(Texts(), PageTimes(NOW, Texts(), UTC)).delivery(item))


def action(kind: ActionKind, author: str) -> Action:
    return Action(kind=kind, target="msg_1", author=author, at=NOW)


def plain(text: Markup) -> str:
    return str(text.striptags())


def test_the_steps_are_in_the_order_of_the_decisions(config: Config) -> None:
    event = sample_event(FAILED, config, NOW)
    found = trail(config, event, routed(1, 3), outcome("ml-ops"), outcome("console"))
    titles = ["Poll", "Rule", "Event", "Route 1", "Route 2", "Route 3", "Route 4", "Silences", "Grouping"]
    assert [title for title, _ in lines(found)] == titles
    assert found.notifies


def test_the_routes_are_named_as_by_the_command(config: Config) -> None:
    event = sample_event(FAILED, config, NOW)
    texts = dict(lines(trail(config, event, routed(1, 3), outcome("ml-ops"))))
    answers = {answer.route: answer for answer in report_on(event, config).routes}
    assert texts["Route 1"] == "Match: to ml-ops, console. The next routes are tried too."
    assert texts["Route 2"] == f"No match: {answers[2].why}."
    assert (texts["Route 4"], answers[4].why) == (
        "Not tried: route 3 matched first.",
        "not tried: route 3 matched first",
    )


def test_an_event_of_no_default_kind_names_the_setting_that_sends_it(config: Config) -> None:
    event = sample_event(PROGRESS, config, NOW)
    found = trail(config, event, NO_ROUTE)
    assert dict(lines(found))["Route 4"] == (
        'No match: progress is not one of the default kinds. Add kind = "progress" to a route to get it.'
    )
    assert (found.notifies, nobody(found)) == (False, "no route matches.")


def test_a_route_that_was_changed_since_is_not_held_against_the_event(config: Config) -> None:
    found = trail(config, sample_event(FAILED, config, NOW), routed(7), outcome("ml-ops"))
    assert dict(lines(found))["Routes"] == "Route 7 took it. The routes have been changed since."
    assert not any(title.startswith("Route ") for title, _ in lines(found))


def test_a_silenced_event_names_the_silence_its_author_and_its_reason(config: Config) -> None:
    stopped = outcome("ml-ops", State.SILENCED, reason=text_reason("sil_1"), attempts=0)
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), stopped)
    text = (
        f"Silenced until {PageTimes(NOW, Texts(), UTC).plain(SILENCE.ends_at)} by kim: moving &lt;data&gt; (type=pop)"
    )
    assert dict(lines(found))["Silences"] == text.replace("&lt;", "<").replace("&gt;", ">")
    assert not found.notifies
    assert "kim" in nobody(found)
    assert delivery(found) == "Silenced. Not sent."


def test_a_silence_that_the_store_no_longer_has_is_still_named_as_the_reason(config: Config) -> None:
    stopped = outcome("ml-ops", State.SILENCED, reason=text_reason("sil_1"), attempts=0)
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), stopped, silences=())
    assert nobody(found) == "a silence covered it."


def test_a_route_to_nobody_says_that_it_is_on_purpose(config: Config) -> None:
    event = sample_event(SampleRequest(kind=Kind.SUCCEEDED, type="pop"), config, NOW)
    dropped = RoutingReason(code=RoutingCode.DROPPED, routes=(2,))
    found = trail(config, event, dropped)
    assert nobody(found) == "route 2 sends it to nobody, on purpose."
    assert dict(lines(found))["Route 2"] == "Match: to nobody, on purpose."


def test_an_event_that_is_not_routed_yet_says_so(config: Config) -> None:
    found = trail(config, sample_event(FAILED, config, NOW), None)
    assert (dict(lines(found))["Routes"], nobody(found)) == ("not routed yet", "not routed yet")


def test_a_delivery_has_its_attempts_its_answer_and_its_next_attempt(config: Config) -> None:
    done = (action(ActionKind.RETRY, "kim"),)
    waits = outcome(
        "ml-ops", State.PENDING, reason=http_reason(503), attempts=7, settled_at=None, answer="busy", actions=done
    )
    next_at = NOW + timedelta(seconds=40)
    sent = SentDelivery(created_at=NOW, attempted_at=NOW, next_at=next_at, may_be_repeat=True, events=3)
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), waits, sent={"msg_ml-ops": sent})
    assert delivery(found) == (
        f"Waiting. 7 attempts, the last at {NOW:%H:%M:%S}. In one message with 2 other events. "
        f"Reason: http 503, retried by kim. It may have arrived twice. Next attempt at {next_at:%H:%M:%S}. "
        "Last answer: busy"
    )


def test_a_delivery_behind_others_has_the_reason_of_its_failing_receiver_and_no_attempt_of_the_past(
    config: Config,
) -> None:
    waits = outcome("ml-ops", State.PENDING, attempts=0, settled_at=None)
    sent = SentDelivery(
        created_at=NOW,
        attempted_at=None,
        next_at=NOW - timedelta(seconds=14),
        may_be_repeat=False,
        events=1,
        receiver_reason=http_reason(503),
    )
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), waits, sent={"msg_ml-ops": sent})
    assert delivery(found) == "Waiting. 0 attempts. Reason: receiver failing: http 503."


def test_what_people_did_to_a_delivery_stands_in_its_order(config: Config) -> None:
    done = (action(ActionKind.RETRY, "kim"), action(ActionKind.DROP, "lee"))
    reason = Reason(code=ReasonCode.DROPPED, name="lee")
    found = trail(
        config,
        sample_event(FAILED, config, NOW),
        routed(1, 3),
        outcome("ml-ops", State.DROPPED, reason=reason, actions=done),
    )
    assert "Reason: retried by kim, dropped by lee." in delivery(found)


def test_a_delivery_that_has_arrived_has_the_time_and_who_retried_it(config: Config) -> None:
    arrived = outcome("ml-ops", attempts=2, actions=(action(ActionKind.RETRY, "kim"),), answer="HTTP 200: ok")
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), arrived)
    assert delivery(found) == (
        f"Delivered at {NOW:%H:%M:%S}. 2 attempts. Reason: retried by kim. Last answer: HTTP 200: ok"
    )


@pytest.mark.parametrize(
    ("changes", "recent", "text"),
    [
        ({}, 1, "Sent at once, in a message of its own."),
        ({"kind": Kind.FAILED}, 11, "Number 11 within the hour: the training keeps changing, so it waits up to "),
        ({"kind": Kind.GONE, "group": "inc_1"}, 1, "Together with the other late changes, within 2 min."),
        ({"kind": Kind.GONE, "group": "list gone main"}, 1, "Together with the others that the same answer showed, "),
        ({"kind": Kind.GONE}, 1, "Waits up to 30 s for other events of its route."),
    ],
)
def test_the_grouping_is_named(config: Config, changes: dict[str, Any], recent: int, text: str) -> None:
    event = replace(sample_event(FAILED, config, NOW), **changes)
    reason = routed(1, 3) if event.kind is Kind.FAILED else routed(3)
    found = trail(config, event, reason, outcome("console"), recent=recent)
    assert dict(lines(found))["Grouping"].startswith(text)


def test_an_event_that_shared_a_message_was_in_none_of_its_own(config: Config) -> None:
    # The setting that grouped it may have been removed since.
    sent = SentDelivery(created_at=NOW, attempted_at=NOW, next_at=None, may_be_repeat=False, events=3)
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), outcome("ml-ops"), sent={"msg_ml-ops": sent})
    assert "In one message with 2 other events." in delivery(found)
    assert "Grouping" not in dict(lines(found))


def test_marks_and_stand_ins_are_steps(config: Config) -> None:
    outage = Outage(subject="account:main", since=NOW - timedelta(hours=1))
    event = replace(sample_event(FAILED, config, NOW), late=True, outage=outage, confirmed=False, restored=True)
    reason = RoutingReason(
        code=RoutingCode.SENT_FROM_MEMORY, stand_in="b", stands_in_for="a", not_announced=NotAnnounced.NO_OTHER
    )
    titles = [title for title, _ in lines(trail(config, event, reason, outcome("b")))]
    assert titles[2:5] == ["Confirmation", "Late", "Restored"]
    assert titles[6:9] == ["Routes", "In its place", "In its place"]


def test_a_dropped_delivery_notified_nobody(config: Config) -> None:
    dropped = outcome("ml-ops", State.DROPPED, reason=Reason(code=NO_REASON.code, detail="x"))
    found = trail(config, sample_event(FAILED, config, NOW), routed(1, 3), dropped)
    assert nobody(found) == "its delivery was dropped."
