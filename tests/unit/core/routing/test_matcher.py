"""The events that a matcher matches, and matchers that cover another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.routing.test_routes import event
from watcher.core.event import Kind
from watcher.core.routing.matcher import Matcher, Mismatch, facts_of, matches_pattern

FAILED = replace(event(Kind.FAILED), service="6wxgu1abcde", to_status="learningFailed", labels={"env": "prod"})


def matching(**keys: str) -> Matcher:
    return Matcher(patterns={key.replace("label_", "labels."): (pattern,) for key, pattern in keys.items()})


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("prod", "prod", True),
        ("prod", "Prod", False),
        ("prod-eu", "prod*", True),
        ("prod", "prod*", True),
        ("prod", "pro?", True),
        ("pro", "pro?", False),
        ("[a]", "[a]", True),
        ("a", "[a]", False),
        ("!a", "[!b]*", False),
        ("two\nlines", "two*", True),
        ("a.b", "a?b", True),
        ("axb", "a.b", False),
        ("*", "\\*", False),
    ],
)
def test_a_pattern_matches_literally_or_by_its_wildcards(text: str, pattern: str, *, expected: bool) -> None:
    assert matches_pattern(text, pattern) is expected


@pytest.mark.parametrize(
    "match",
    [
        matching(account="main"),
        matching(service="6wx*"),
        matching(type="pop", version="?"),
        matching(status="*Failed"),
        matching(label_env="prod"),
        Matcher(kinds=frozenset({"failed", "gone"}), patterns={"service": ("x", "6wxgu1abcde")}),
    ],
)
def test_an_event_matches_where_every_key_matches(match: Matcher) -> None:
    assert match.mismatch(FAILED) is None


@pytest.mark.parametrize(
    ("match", "mismatch"),
    [
        (Matcher(kinds=frozenset({"gone", "back"})), Mismatch(key="kind", wanted=("back", "gone"), found="failed")),
        (matching(account="spare"), Mismatch(key="account", wanted=("spare",), found="main")),
        (matching(account="main", type="rel*"), Mismatch(key="type", wanted=("rel*",), found="pop")),
        (matching(label_team="*"), Mismatch(key="labels.team", wanted=("*",), found=None)),
        (matching(label_env="test"), Mismatch(key="labels.env", wanted=("test",), found="prod")),
    ],
)
def test_the_first_key_that_differs_is_named(match: Matcher, mismatch: Mismatch) -> None:
    assert match.mismatch(FAILED) == mismatch


@pytest.mark.parametrize("key", ["service", "type", "version", "status"])
def test_no_pattern_matches_a_fact_that_the_event_lacks(key: str) -> None:
    outage = replace(
        event(Kind.UNREACHABLE), service=None, training_type=None, version=None, from_status=None, to_status=None
    )
    assert facts_of(outage) == {"account": "main"}
    assert matching(**{key: "*"}).mismatch(outage) == Mismatch(key=key, wanted=("*",), found=None)


def test_progress_matches_only_where_it_is_named() -> None:
    assert Matcher().mismatch(event(Kind.PROGRESS)) == Mismatch(key="kind", wanted=(), found="progress")
    assert Matcher(kinds=frozenset({"progress"})).mismatch(event(Kind.PROGRESS)) is None


patterns = st.text("ab*?", min_size=1, max_size=4)
texts = st.text("ab", min_size=1, max_size=4)


@given(
    st.lists(patterns, min_size=1, max_size=2).map(tuple), st.lists(patterns, min_size=1, max_size=2).map(tuple), texts
)
def test_a_matcher_matches_every_event_of_a_matcher_that_it_covers(
    wide: tuple[str, ...], narrow: tuple[str, ...], text: str
) -> None:
    before, after = Matcher(patterns={"service": wide}), Matcher(patterns={"service": narrow})
    announced = replace(event(Kind.FAILED), service=text)
    if before.covers(after, "failed") and after.mismatch(announced) is None:
        assert before.mismatch(announced) is None


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*", "6wx*", True),
        ("6w*", "6wx*", True),
        ("6w*", "6wxgu1abcde", True),
        ("6w?", "6w*", False),
        ("6w?", "6wx", True),
        ("6wx*", "6w*", False),
    ],
)
def test_a_pattern_covers_one_whose_texts_all_match_it(wide: str, narrow: str, *, covered: bool) -> None:
    assert matching(service=wide).covers(matching(service=narrow, type="pop"), "failed") is covered


def test_an_additional_key_or_another_kind_is_not_covered() -> None:
    assert not matching(service="*", type="pop").covers(matching(service="x"), "failed")
    assert not matching(service="*").covers(matching(service="x"), "progress")


@pytest.mark.parametrize(
    ("before", "pattern", "matches"),
    [
        ("learning", "learning", True),
        ("waiting", "learning", False),
        ("waiting", "*ing", True),
        ("paused", "p?used", True),
        (None, "*", False),
    ],
)
def test_the_status_before_may_be_matched(before: str | None, pattern: str, *, matches: bool) -> None:
    match = Matcher(patterns={"from": (pattern,)})
    assert (match.mismatch(replace(FAILED, from_status=before)) is None) is matches
