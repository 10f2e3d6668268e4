"""Which silence takes an event, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.core.routing.test_routes import event
from watcher.core.event import Kind
from watcher.core.routing.matcher import ALL_KINDS, Matcher, matcher_of, words_of
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
def test_it_holds_from_its_start_to_just_before_its_end(after: timedelta, *, expected: bool) -> None:
    assert (covering(FAILED, [QUIET], NOW + after) is QUIET) is expected


def test_one_that_somebody_ended_holds_no_more_also_when_the_clock_steps_back() -> None:
    ended = replace(QUIET, ended_at=NOW + HOUR / 2, ended_by="mina")
    assert ended.over_at == NOW + HOUR / 2
    assert covering(FAILED, [ended], NOW + HOUR / 2) is None
    assert covering(FAILED, [ended], NOW) is None


def test_only_what_is_matched_is_taken_and_by_the_first_that_matches() -> None:
    other = replace(QUIET, id="sil_0", match=matcher_of({"service": ["another"]}))
    third = replace(QUIET, id="sil_3")
    assert covering(FAILED, [other, QUIET, third], NOW) is QUIET
    assert covering(FAILED, [other], NOW) is None


@pytest.mark.parametrize("kind", sorted(EXEMPT))
def test_failure_with_the_store_or_a_receiver_is_never_silenced(kind: Kind) -> None:
    assert covering(event(kind), [QUIET], NOW) is None


def test_an_incident_is_silenced_where_it_is_matched_alone() -> None:
    dark = replace(event(Kind.UNREACHABLE), service=None, account="main")
    assert covering(dark, [replace(QUIET, match=matcher_of({"service": ["*"], "kind": ["*"]}))], NOW) is None
    assert covering(dark, [replace(QUIET, match=matcher_of({"account": ["main"], "kind": ["*"]}))], NOW) is not None


def test_a_matcher_is_the_same_after_it_was_written() -> None:
    match = matcher_of({"kind": ["failed", "gone"], "service": ["6wx*"], "labels.env": ["prod", "test"]})
    assert matcher_of(words_of(match)) == match
    assert matcher_of(words_of(Matcher())) == Matcher()
    assert to_json(QUIET)["match"] == {"kind": ["*"]}
