"""The end of a list: when a request behind a short page is due."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from watcher.aitems.list_end import MAX_POSTPONED, MAX_REPEATS, ListEnd, hash_of


def test_a_first_list_is_not_known_to_end_at_a_short_page() -> None:
    assert not ListEnd().is_known(hash_of("ab", 0))


@pytest.mark.parametrize(("records", "unreadable", "known"), [("ba", 0, True), ("abc", 0, False), ("ab", 1, False)])
def test_a_confirmed_end_is_known_while_the_records_stay(records: str, unreadable: int, *, known: bool) -> None:
    end = ListEnd().confirmed(hash_of("ab", 0))
    assert end.is_known(hash_of(records, unreadable)) is known


def test_a_known_end_is_confirmed_anew_after_some_lists() -> None:
    end = ListEnd().confirmed(5)
    for _ in range(MAX_REPEATS):
        assert end.is_known(5)
        end = end.repeated()
    assert not end.is_known(5)
    assert end.confirmed(5).is_known(5)


@pytest.mark.parametrize(("first", "capped"), [(9, True), (10, True), (11, False)])
def test_a_cap_is_known_until_a_first_page_has_more_records(first: int, *, capped: bool) -> None:
    end = ListEnd().more_behind(10).more_behind(7).confirmed(5).after_first_page(first)
    assert (end.cap == 10) is capped
    assert end.is_known(5) is not capped


def test_a_server_that_fails_for_each_request_behind_the_records_is_asked_ever_more_rarely() -> None:
    end, waits = ListEnd(), []
    for _ in range(7):
        end, waited = end.failed(), 0
        while end.is_known(5):
            end, waited = end.repeated(), waited + 1
        waits.append(waited)
    assert waits == [0, 1, 3, 7, 15, MAX_REPEATS, MAX_REPEATS]


@pytest.mark.parametrize("answered", [ListEnd.confirmed, ListEnd.more_behind])
def test_an_answer_behind_the_records_ends_the_waits_after_failures(
    answered: Callable[[ListEnd, int], ListEnd],
) -> None:
    end = answered(ListEnd().failed().failed().failed(), 5)
    assert end.failures == 0
    assert not end.is_known(6)


def test_after_some_lists_without_room_the_request_is_overdue_until_it_is_made() -> None:
    end = ListEnd()
    overdue = []
    for _ in range(MAX_POSTPONED + 1):
        overdue.append(end.is_overdue)
        end = end.without_room()
    assert overdue == [False] * MAX_POSTPONED + [True]
    assert [made.is_overdue for made in (end.confirmed(1), end.failed(), end.more_behind(3))] == [False] * 3
