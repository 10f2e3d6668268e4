"""Messages about a training that may be stuck, that continues, or that completed unusually fast."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.receivers.sample_facts import (
    ENDED,
    EXPECTED_END,
    UNSTUCK,
    bounds_ago,
    minutes,
    plain_success,
    run_of,
    stuck_facts,
    usual_facts,
)
from tests.unit.receivers.samples import COMPLETED, STUCK, sample_event
from watcher.core.event import Event, Kind
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.message import Message, Severity, Symbol
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose

GUESS = "A guess from earlier runs: AiTEMS does not report progress"
REMEDY = "Check the console; AiTEMS cannot stop a training while it runs"


def stuck(**changes: Any) -> Event:
    return sample_event(**STUCK, stuck=stuck_facts(**changes))


def unstuck(**changes: Any) -> Event:
    usual = {"kind": Kind.UNSTUCK, "from_status": "waiting", "to_status": "learning", "stuck": UNSTUCK}
    return sample_event(**(usual | changes))


def facts_of(event: Event) -> list[str]:
    return [plain_text(line) for line in compose(event).facts]


def title_of(message: Message) -> str:
    return f"{message.sign} {plain_text(message.title)}"


def muted_of(event: Event) -> str:
    return plain_text(compose(event).muted)


def test_what_no_poll_saw_begin_lasts_at_least_as_long_as_it_was_seen() -> None:
    unseen = stuck_facts(since=bounds_ago(minutes(52)), usual=None, begin_seen=False)
    event, later = sample_event(**STUCK, stuck=unseen), unstuck(stuck=unseen)
    assert facts_of(event)[0] == "learning for at least 52 min"
    assert facts_of(later) == ["waiting → learning after at least 51 min 30 s"]
    (entry,) = compose_group([event], []).entries
    assert (entry.duration, plain_text(entry.change)) == ("at least 52 min", "learning for at least 52 min")
    assert compose(from_json(json.loads(json.dumps(to_json(event))))) == compose(event)


def test_a_learned_limit_is_called_a_guess() -> None:
    message = compose(stuck())
    assert title_of(message) == "⏳ Training may be stuck · shop-main · pop · maqll0abcde"
    assert (message.severity, message.sign) == (Severity.WARNING, Symbol.LATE)
    assert facts_of(stuck()) == [
        "learning for 2 h 40 min (usually 31 to 44 min, longest 58 min, 23 runs)",
        GUESS,
        REMEDY,
    ]
    assert "guess" in plain_text((message.preview or ())[0])


@pytest.mark.parametrize("usual", [None, usual_facts()])
def test_a_configured_limit_is_no_guess(usual: Any) -> None:
    event = stuck(learned=False, limit=timedelta(hours=2), usual=usual)
    message = compose(event)
    assert facts_of(event)[1:] == ["Longer than stuck_after (2 h); AiTEMS does not report progress", REMEDY]
    text = "".join(map(plain_text, [*message.facts, *(message.preview or ()), message.muted]))
    assert "guess" not in text


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"usual": None}, "learning for 2 h 40 min"),
        ({"whole_run": True, "usual": None}, "In progress for 2 h 40 min, now learning"),
        (
            {"whole_run": True},
            "In progress for 2 h 40 min (usually 31 to 44 min, longest 58 min, 23 runs), now learning",
        ),
        (
            {"usual": usual_facts(runs=1, whole_account=True)},
            "learning for 2 h 40 min (usually 48 to 61 min, longest 66 min, 1 run of this type in the account)",
        ),
        ({"since": bounds_ago(minutes(3)), "usual": None}, "learning for 3 min 15 s"),
    ],
)
def test_a_stuck_training_says_how_long_and_whether_that_is_usual(changes: dict[str, Any], first: str) -> None:
    assert facts_of(stuck(**changes))[0] == first


@pytest.mark.parametrize(
    ("changes", "muted"),
    [
        (
            {},
            (
                "Polled at 2026-11-23 02:20:10 UTC"
                " · next message when its status changes, or once it has taken 7 h 51 min · Console"
            ),
        ),
        ({"next_limit": None}, "Polled at 2026-11-23 02:20:10 UTC · next message when its status changes · Console"),
        (
            {"level": 2, "next_limit": None, "reported_at": ENDED - timedelta(hours=5)},
            "Reported as possibly stuck at 2026-11-22 21:20 UTC · polled at 2026-11-23 02:20:10 UTC · next message",
        ),
    ],
)
def test_a_stuck_training_names_the_poll_that_still_showed_it_and_the_next_message(
    changes: dict[str, Any], muted: str
) -> None:
    assert muted_of(stuck(**changes)).startswith(muted)
    assert "between" not in muted_of(stuck(**changes)).lower()


@pytest.mark.parametrize("mark", [{"restored": True}, {"fallback_for": "hook"}])
def test_a_mark_takes_the_place_of_the_guess(mark: dict[str, Any]) -> None:
    event = sample_event(**STUCK, stuck=stuck_facts(), **mark)
    assert GUESS not in facts_of(event)
    assert REMEDY in facts_of(event)


def test_a_stuck_training_without_facts_still_says_what_to_do() -> None:
    assert facts_of(sample_event(**STUCK)) == ["learning", GUESS, REMEDY]


def test_a_training_that_continues_says_after_how_long_and_when_it_ends() -> None:
    event = unstuck(expected_end=EXPECTED_END)
    assert title_of(compose(event)) == "🔄 Training continues · shop-main · pop · maqll0abcde"
    assert facts_of(event) == [
        "waiting → learning after 52 min (usually 2 to 6 min, 23 runs)",
        "Ends about 2026-11-23 02:59 UTC (2026-11-23 02:48 UTC to 2026-11-23 03:18 UTC), an estimate from 23 runs",
    ]
    assert muted_of(event).startswith("Reported as possibly stuck at 2026-11-23 01:52 UTC · between")


@pytest.mark.parametrize("status", ["stopping", "ready"])
def test_a_stopped_training_neither_continues_nor_has_an_expected_end(status: str) -> None:
    event = unstuck(to_status=status, expected_end=EXPECTED_END)
    assert compose(event).headline == "Training status changed"
    assert facts_of(event) == [f"waiting → {status} after 52 min (usually 2 to 6 min, 23 runs)"]
    group = compose_group([event, sample_event(kind=Kind.PROGRESS, to_status=status)], [])
    assert [plain_text(part.heading) for part in group.sections] == ["Other 2"]


def test_a_training_that_does_not_get_stopped_gets_no_advice_about_stopping() -> None:
    event = replace(stuck(), to_status="stopping")
    assert facts_of(event)[-1] == "Check the console, or ask NAVER Cloud support"


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (None, "waiting → learning"),
        (stuck_facts(since=bounds_ago(minutes(52)), usual=None), "waiting → learning after 52 min"),
        (
            stuck_facts(since=bounds_ago(minutes(52)), usual=None, whole_run=True),
            "waiting → learning after 52 min in progress",
        ),
        (
            stuck_facts(since=bounds_ago(minutes(52)), usual=usual_facts(), whole_run=True),
            "waiting → learning after 52 min in progress (usually 48 to 61 min, 23 runs)",
        ),
    ],
)
def test_a_training_that_continues_leaves_out_facts_that_are_not_known(facts: Any, first: str) -> None:
    assert facts_of(unstuck(stuck=facts)) == [first]


def test_a_fast_run_is_plain_information_with_a_guess() -> None:
    event = sample_event(**(COMPLETED | {"kind": Kind.FAST, "run": run_of(minutes(12))}), comparison=plain_success())
    message = compose(event)
    assert (message.headline, message.severity) == ("Completed unusually fast", Severity.INFO)
    assert facts_of(event) == [
        "Took 12 min (usually 48 to 61 min, 24 runs)",
        "Data may be missing (a guess): check the data set",
    ]


def test_a_fast_run_without_a_start_claims_no_duration() -> None:
    event = sample_event(**(COMPLETED | {"kind": Kind.FAST, "run": None}), comparison=plain_success())
    assert facts_of(event) == ["Data may be missing (a guess): check the data set"]


@pytest.mark.parametrize("wait", [minutes(0), minutes(1), minutes(50)])
def test_what_may_be_stuck_lasts_until_the_poll_that_still_showed_it(wait: timedelta) -> None:
    event = sample_event(**(STUCK | {"after": ENDED - wait}), stuck=stuck_facts(usual=None))
    assert facts_of(event)[0] == "learning for 2 h 40 min"
