"""Which events a match fits, and which matches leave nothing to another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.routing.test_routes import event
from watcher.core.event import Kind
from watcher.core.routing.matcher import Matcher, Mismatch, facts_of, fits

FAILED = replace(event(Kind.FAILED), service="6wxgu1abcde", to_status="learningFailed", labels={"env": "prod"})


def words(**keys: str) -> Matcher:
    return Matcher(words={key.replace("label_", "labels."): (word,) for key, word in keys.items()})


@pytest.mark.parametrize(
    ("text", "word", "expected"),
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
def test_words_are_equal_or_fit_a_pattern(text: str, word: str, *, expected: bool) -> None:
    assert fits(text, word) is expected


@pytest.mark.parametrize(
    "match",
    [
        words(account="main"),
        words(service="6wx*"),
        words(type="pop", version="?"),
        words(status="*Failed"),
        words(label_env="prod"),
        Matcher(kinds=frozenset({"failed", "gone"}), words={"service": ("x", "6wxgu1abcde")}),
    ],
)
def test_an_event_is_matched_where_every_key_fits(match: Matcher) -> None:
    assert match.difference(FAILED) is None


@pytest.mark.parametrize(
    ("match", "difference"),
    [
        (Matcher(kinds=frozenset({"gone", "back"})), Mismatch(key="kind", wanted=("back", "gone"), found="failed")),
        (words(account="spare"), Mismatch(key="account", wanted=("spare",), found="main")),
        (words(account="main", type="rel*"), Mismatch(key="type", wanted=("rel*",), found="pop")),
        (words(label_team="*"), Mismatch(key="labels.team", wanted=("*",), found=None)),
        (words(label_env="test"), Mismatch(key="labels.env", wanted=("test",), found="prod")),
    ],
)
def test_the_first_key_that_differs_is_named(match: Matcher, difference: Mismatch) -> None:
    assert match.difference(FAILED) == difference


@pytest.mark.parametrize("key", ["service", "type", "version", "status"])
def test_what_an_event_lacks_no_pattern_matches(key: str) -> None:
    outage = replace(
        event(Kind.UNREACHABLE), service=None, training_type=None, version=None, from_status=None, to_status=None
    )
    assert facts_of(outage) == {"account": "main"}
    assert words(**{key: "*"}).difference(outage) == Mismatch(key=key, wanted=("*",), found=None)


def test_progress_is_matched_only_where_it_is_named() -> None:
    assert Matcher().difference(event(Kind.PROGRESS)) == Mismatch(key="kind", wanted=(), found="progress")
    assert Matcher(kinds=frozenset({"progress"})).difference(event(Kind.PROGRESS)) is None


patterns = st.text("ab*?", min_size=1, max_size=4)
texts = st.text("ab", min_size=1, max_size=4)


@given(
    st.lists(patterns, min_size=1, max_size=2).map(tuple), st.lists(patterns, min_size=1, max_size=2).map(tuple), texts
)
def test_what_one_match_covers_leaves_nothing_to_the_other(
    wide: tuple[str, ...], narrow: tuple[str, ...], text: str
) -> None:
    before, after = Matcher(words={"service": wide}), Matcher(words={"service": narrow})
    announced = replace(event(Kind.FAILED), service=text)
    if before.covers(after, "failed") and after.difference(announced) is None:
        assert before.difference(announced) is None


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
def test_a_pattern_covers_what_surely_fits_it(wide: str, narrow: str, *, covered: bool) -> None:
    assert words(service=wide).covers(words(service=narrow, type="pop"), "failed") is covered


def test_a_match_with_one_more_key_covers_nothing_and_neither_does_another_kind() -> None:
    assert not words(service="*", type="pop").covers(words(service="x"), "failed")
    assert not words(service="*").covers(words(service="x"), "progress")
