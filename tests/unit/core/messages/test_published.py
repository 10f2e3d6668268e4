"""Events as JSON for programs: the stored facts with advice and remedy as text."""

from __future__ import annotations

import pytest

from tests.support.event_facts import incident_of, receiver_of
from tests.unit.receivers.sample_facts import third_failure
from tests.unit.receivers.samples import CASES, COMPARED, sample_event
from watcher.core.delivery.facts import Remedy, RemedyCode
from watcher.core.event_json import to_json
from watcher.core.messages.advice import advice_for
from watcher.core.messages.published import (
    published_comparisons,
    published_event,
    published_incident,
    published_receiver,
)
from watcher.core.messages.receiver import remedy_text
from watcher.core.training.comparison import SettingChange

INCIDENT_KEYS = [
    "id",
    "kind",
    "cause",
    "detail",
    "advice",
    "evidence",
    "since",
    "last_good_at",
    "covers",
    "lasted_seconds",
    "services",
    "previous",
    "paused_until",
]


@pytest.mark.parametrize("case", [case for case, event in CASES.items() if event.incident is not None])
def test_an_incident_has_its_advice_as_text(case: str) -> None:
    facts = incident_of(CASES[case])
    published = published_incident(facts)
    assert list(published) == INCIDENT_KEYS
    assert published["advice"] == (advice_for(facts) if facts.lasted_seconds is None else "")


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("receiver-failing", remedy_text(Remedy(code=RemedyCode.PARKED), "ml-ops")),
        ("receiver-recovered", ""),
        ("undelivered", "aitems-watcher deliveries retry msg_a4v7kq2x0"),
    ],
)
def test_a_receiver_has_its_remedy_as_text(case: str, text: str) -> None:
    assert published_receiver(receiver_of(CASES[case]))["remedy"] == text


def test_an_event_of_a_training_is_published_as_it_is_stored() -> None:
    unknown = {"comparison": None, "stuck": None, "expected_end": None}
    assert published_event(sample_event()) == {**to_json(sample_event()), **unknown}


@pytest.mark.parametrize("case", sorted(COMPARED))
def test_the_facts_of_earlier_runs_are_published_as_they_are_stored(case: str) -> None:
    stored, published = to_json(COMPARED[case]), published_event(COMPARED[case])
    if isinstance(comparison := stored.get("comparison"), dict):
        stored["comparison"] = {**comparison, "more_changes": 0}
    assert {key: value for key, value in published.items() if value is not None or key in stored} == stored


@pytest.mark.parametrize(("count", "more"), [(0, 0), (20, 0), (21, 1), (500, 480)])
def test_many_changed_settings_are_counted(count: int, more: int) -> None:
    changes = tuple(SettingChange(option=f"o{number}", old=None, new=number) for number in range(count))
    published = published_comparisons(sample_event(comparison=third_failure(changes=changes)))["comparison"]
    assert isinstance(published, dict)
    assert (len(published["changes"]), published["more_changes"]) == (count - more, more)


@pytest.mark.parametrize("value", ["x" * 201, list(range(400)), {"a": {"b": "y" * 600}}])
def test_a_long_value_of_a_setting_is_published_as_a_text_that_is_cut(value: object) -> None:
    change = SettingChange(option="o" * 101, old=value, new=[1, 2])
    published = published_comparisons(sample_event(comparison=third_failure(changes=(change,))))["comparison"]
    assert isinstance(published, dict)
    (shown,) = published["changes"]
    assert 190 < len(shown["old"]) <= 200
    assert 90 < len(shown["option"]) <= 100
    assert "… (cut, " in shown["old"]
    assert shown["new"] == [1, 2]


def test_an_event_is_published_with_its_texts() -> None:
    assert published_event(CASES["account-denied"])["incident"] == published_incident(
        incident_of(CASES["account-denied"])
    )
    assert published_event(CASES["undelivered"])["receiver"] == published_receiver(receiver_of(CASES["undelivered"]))
