"""The silence that stops an event's messages, and its limits in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.core.routing.test_routes import event
from watcher.core.event import Kind
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of, patterns_of
from watcher.core.routing.silence import EXEMPT, Silence, covering, to_json

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYTHING = Matcher(kinds=frozenset({ALL_KINDS}))
QUIET = Silence(
    id="sil_1", match=EVERYTHING, starts_at=NOW, ends_at=NOW + HOUR, author="mina", reason="moving the data"
)
FAILED = replace(event(Kind.FAILED), service="6wxgu1abcde")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(microseconds=-1), False),
        (timedelta(), True),
        (HOUR - timedelta(microseconds=1), True),
        (HOUR, False),
    ],
)
def test_a_silence_is_active_from_its_start_to_just_before_its_end(after: timedelta, *, expected: bool) -> None:
    assert (covering(FAILED, [QUIET], NOW + after) is QUIET) is expected


def test_an_ended_silence_stays_ended_when_the_clock_steps_back() -> None:
    ended = replace(QUIET, ended_at=NOW + HOUR / 2, ended_by="mina")
    assert ended.over_at == NOW + HOUR / 2
    assert covering(FAILED, [ended], NOW + HOUR / 2) is None
    assert covering(FAILED, [ended], NOW) is None


def test_the_first_matching_silence_covers_an_event() -> None:
    other = replace(QUIET, id="sil_0", match=matcher_of({"service": ["another"]}))
    third = replace(QUIET, id="sil_3")
    assert covering(FAILED, [other, QUIET, third], NOW) is QUIET
    assert covering(FAILED, [other], NOW) is None


@pytest.mark.parametrize("kind", sorted(EXEMPT))
def test_failures_of_the_store_or_a_receiver_are_never_silenced(kind: Kind) -> None:
    assert covering(event(kind), [QUIET], NOW) is None


def test_an_incident_is_silenced_only_by_a_matcher_of_its_own_facts() -> None:
    outage = replace(event(Kind.UNREACHABLE), service=None, account="main")
    assert covering(outage, [replace(QUIET, match=matcher_of({"service": ["*"], "kind": ["*"]}))], NOW) is None
    assert covering(outage, [replace(QUIET, match=matcher_of({"account": ["main"], "kind": ["*"]}))], NOW) is not None


def test_a_matcher_survives_a_round_trip_through_json() -> None:
    match = matcher_of({"kind": ["failed", "gone"], "service": ["6wx*"], "labels.env": ["prod", "test"]})
    assert matcher_of(patterns_of(match)) == match
    assert matcher_of(patterns_of(Matcher())) == Matcher()
    assert to_json(QUIET)["match"] == {"kind": ["*"]}
