from __future__ import annotations

import math

import pytest

from watcher.simulator.invented.durations import read_seconds, read_signed_seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("2m", 120), ("1h", 3600), ("3d", 259_200), ("1m30s", 90), (7, 7), (0.25, 0.25)],
)
def test_a_duration_is_read_with_its_unit(written: object, seconds: float) -> None:
    assert read_seconds(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "5", "s", "5 s", "-5s", "1.5s", "5w", -1, math.nan, math.inf, True, None, ["5s"]]
)
def test_an_invalid_duration_is_rejected_with_advice(written: object) -> None:
    with pytest.raises(ValueError, match=r"not a duration: .*; write a number"):
        read_seconds(written)


@pytest.mark.parametrize(("written", "seconds"), [("-5m", -300), (-2, -2), ("5m", 300), (0, 0)])
def test_a_signed_duration_may_be_negative(written: object, seconds: float) -> None:
    assert read_signed_seconds(written) == seconds


@pytest.mark.parametrize("written", ["--5s", "-", -math.inf])
def test_a_sign_before_an_invalid_duration_is_rejected(written: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        read_signed_seconds(written)
