from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.core.duration import format_duration, parse_duration

# The machine may be busy, so the time of one example means nothing.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MILLISECONDS = st.integers(0, 10**12).map(lambda count: timedelta(milliseconds=count))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("90m", timedelta(minutes=90)),
        ("0s", timedelta()),
        ("9999999d", timedelta(days=9_999_999)),
    ],
)
def test_a_number_with_a_unit_is_a_duration(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "30",
        "s",
        "-5s",
        "+5s",
        "1.5h",
        "5 m",
        " 5m",
        "5m\n",
        "5M",
        "5min",
        "30m1h",
        "5m5m",
        "1w",
        "٣s",
        "1" * 30 + "d",
    ],
)
def test_any_other_text_is_rejected_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r'e\.g\. "500ms", "30s"'):
        parse_duration(text)


@PATIENT
@given(MILLISECONDS)
def test_a_written_duration_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@PATIENT
@given(st.text(alphabet="0123456789dhms. -", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert duration >= timedelta()


def test_durations_are_written_with_the_largest_units_first() -> None:
    assert format_duration(timedelta(hours=36, milliseconds=20)) == "1d12h20ms"
    assert format_duration(timedelta()) == "0s"
