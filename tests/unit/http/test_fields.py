"""Parsers of header fields, with any values of a peer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.http import Headers, content_encoding, retry_after_seconds, server_date

NOW = datetime(2026, 11, 23, 2, 20, tzinfo=UTC)
IN_A_MINUTE = "Mon, 23 Nov 2026 02:21:00 GMT"
AT_MOST = 900.0


def retry_after(value: str, **more: str) -> float | None:
    fields = [("Retry-After", value), *((name.title(), text) for name, text in more.items())]
    return retry_after_seconds(Headers(fields), NOW, at_most=AT_MOST)


def test_names_are_found_in_any_case_and_repeated_values_are_joined() -> None:
    headers = Headers([("Retry-After", "1"), ("X-A", "1"), ("x-a", "2")])
    assert headers["RETRY-AFTER"] == "1"
    assert headers["x-A"] == "1, 2"
    assert "Date" not in headers
    assert len(headers) == 2


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("7", 7.0), (" 7 ", 7.0), ("900", 900.0)])
def test_retry_after_is_read_as_seconds(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize("value", ["901", "1000000000", "9" * 18])
def test_an_absurd_wait_is_capped(value: str) -> None:
    assert retry_after(value) == AT_MOST


@pytest.mark.parametrize("value", ["", "-1", "+5", "1.5", "1e3", "soon", "٣", "²", "9" * 5000, "7, 8"])
def test_an_invalid_wait_is_none(value: str) -> None:
    assert retry_after(value) is None


def test_a_date_counts_from_our_clock_if_the_peer_sends_none() -> None:
    assert retry_after(IN_A_MINUTE) == 60.0


def test_a_date_counts_from_the_peers_clock_if_it_sends_one() -> None:
    assert retry_after(IN_A_MINUTE, date="Mon, 23 Nov 2026 02:20:50 GMT") == 10.0


def test_a_date_in_the_past_is_none() -> None:
    assert retry_after("Mon, 23 Nov 2026 02:19:00 GMT") is None


def test_a_distant_date_is_capped() -> None:
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == AT_MOST


def test_the_peers_date_is_read_in_utc() -> None:
    assert server_date(Headers([("Date", IN_A_MINUTE)]), NOW) == NOW + timedelta(minutes=1)
    assert server_date(Headers([("Date", "Mon, 23 Nov 2026 11:21:00 +0900")]), NOW) == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("value", ["", "yesterday", "Mon, 99 Nov 2026 02:21:00 GMT", "0", "1, 2, 3, 4, 5"])
def test_an_unreadable_date_is_none(value: str) -> None:
    assert server_date(Headers([("Date", value)]), NOW) is None


@given(st.text(st.characters(codec="latin-1")))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    headers = Headers([("Date", text), ("Retry-After", text)])
    date = server_date(headers, NOW)
    assert date is None or date.tzinfo is UTC
    seconds = retry_after_seconds(headers, NOW, at_most=AT_MOST)
    assert seconds is None or 0 <= seconds <= AT_MOST


@pytest.mark.parametrize(("value", "coding"), [("gzip", "gzip"), (" BR ", "br"), ("identity", None), ("", None)])
def test_an_encoded_body_is_recognized(value: str, coding: str | None) -> None:
    assert content_encoding(Headers([("Content-Encoding", value)])) == coding
    assert content_encoding(Headers()) is None


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("0", 0), ("120", 120), (" 86400 ", 86_400), ("120, 30", 120), ("30, soon", 30)],
)
def test_the_date_of_a_cached_answer_counts_with_its_age(age: str, seconds: int) -> None:
    headers = Headers([("Date", "Mon, 23 Nov 2026 02:20:00 GMT"), ("Age", age)])
    assert server_date(headers, NOW + timedelta(days=2)) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("now_seconds", "date_seconds"),
    [(-600, 0), (0, 0), (60, 60), (119, 119), (120, 120), (600, 120)],
    ids=["before", "own Date of the cache", "between", "at the end", "Date of the origin", "after"],
)
def test_a_cached_answer_proves_a_wrong_clock_only_outside_its_date_and_age(
    now_seconds: int, date_seconds: int
) -> None:
    headers = Headers([("Date", "Mon, 23 Nov 2026 02:20:00 GMT"), ("Age", "120")])
    date = server_date(headers, NOW + timedelta(seconds=now_seconds))
    assert date == NOW + timedelta(seconds=date_seconds)


@pytest.mark.parametrize("age", ["", "-120", "+120", "1.5", "soon", "1e3", "9" * 18, "9" * 5000, "٣", ", 120"])
def test_an_invalid_age_is_ignored(age: str) -> None:
    headers = Headers([("Date", "Mon, 23 Nov 2026 02:20:00 GMT"), ("Age", age)])
    assert server_date(headers, NOW) == NOW


def test_a_distant_date_with_an_age_is_kept() -> None:
    headers = Headers([("Date", "Fri, 31 Dec 9999 23:59:59 GMT"), ("Age", "120")])
    assert server_date(headers, NOW) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_wait_until_a_date_counts_from_now_in_a_cached_answer() -> None:
    assert retry_after(IN_A_MINUTE, date="Mon, 23 Nov 2026 02:18:00 GMT", age="120") == 60.0
