"""Guesses of a token: few different ones of each client, and memory that stays bounded."""

from __future__ import annotations

import pytest

from watcher.web import guesses
from watcher.web.guesses import TokenGuesses, TooManyGuessesError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def guessed(limit: TokenGuesses, count: int, client: str = "a") -> None:
    for number in range(count):
        assert limit.note(client, f"wrong {number}", is_right=False)


def test_after_five_guesses_even_the_right_token_waits_ten_seconds_for_each_further_one() -> None:
    clock = Clock()
    limit = TokenGuesses(clock)
    guessed(limit, 5)
    for is_right in (False, True):
        with pytest.raises(TooManyGuessesError) as refused:
            limit.note("a", "another", is_right=is_right)
        assert refused.value.wait_seconds == pytest.approx(10)
    clock.now += 10
    assert not limit.note("a", "the token", is_right=True)
    assert limit.note("a", "another", is_right=False)


def test_another_client_does_not_wait() -> None:
    limit = TokenGuesses(Clock())
    guessed(limit, 5)
    assert not limit.note("b", "the token", is_right=True)


def test_the_right_token_counts_never_and_a_wrong_one_once() -> None:
    limit = TokenGuesses(Clock())
    for _ in range(50):
        assert not limit.note("a", "the token", is_right=True)
    assert limit.note("a", "of yesterday", is_right=False)
    for _ in range(50):
        assert not limit.note("a", "of yesterday", is_right=False)
    assert not limit.note("a", "the token", is_right=True)


def test_a_token_that_was_wrong_may_be_the_next_one() -> None:
    limit = TokenGuesses(Clock())
    limit.note("a", "of tomorrow", is_right=False)
    assert not limit.note("a", "of tomorrow", is_right=True)


def test_what_is_remembered_is_bounded_and_is_no_token() -> None:
    limit = TokenGuesses(Clock())
    for number in range(guesses.REMEMBERED + 100):
        limit.note(f"client {number}", "a wrong one", is_right=False)
    assert len(limit._wrong) == guesses.REMEMBERED
    assert "a wrong one" not in repr(limit._wrong)
