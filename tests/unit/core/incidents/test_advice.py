"""The advice for each cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import CASES
from watcher.core.incidents.advice import ADVICE, STORE_ADVICE, UNKNOWN_CAUSE, advice, advice_for
from watcher.core.polling.result import Cause
from watcher.store.write_faults import WriteFault

LONGEST = 300


def test_every_cause_has_its_own_advice() -> None:
    assert set(ADVICE) == set(Cause)
    assert len(set(ADVICE.values())) == len(Cause)


def test_every_write_fault_has_its_own_advice() -> None:
    assert set(STORE_ADVICE) == {fault.value for fault in WriteFault}
    assert len(set(STORE_ADVICE.values())) == len(WriteFault)


@pytest.mark.parametrize("text", [*map(advice, Cause), *STORE_ADVICE.values(), UNKNOWN_CAUSE])
def test_advice_is_one_readable_line(text: str) -> None:
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) <= LONGEST


def test_the_advice_for_an_incident_follows_from_its_cause() -> None:
    assert advice_for(incident_of(CASES["account-denied"])) == ADVICE[Cause.KEY]
    assert advice_for(incident_of(CASES["store-failing"])) == STORE_ADVICE["disk-full"]


@pytest.mark.parametrize("case", ["account-denied", "store-failing"])
def test_a_cause_that_another_version_stored_has_advice_too(case: str) -> None:
    assert advice_for(replace(incident_of(CASES[case]), cause="flux")) == UNKNOWN_CAUSE
