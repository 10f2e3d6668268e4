"""What to do about each cause."""

from __future__ import annotations

import pytest

from watcher.core.incidents.advice import ADVICE, advice
from watcher.core.polling.result import Cause

LONGEST = 300


def test_every_cause_has_its_own_advice() -> None:
    assert set(ADVICE) == set(Cause)
    assert len(set(ADVICE.values())) == len(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_advice_is_one_readable_line(cause: Cause) -> None:
    text = advice(cause)
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) <= LONGEST
