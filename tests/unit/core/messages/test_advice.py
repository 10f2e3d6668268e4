"""The advice for each cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import CASES
from watcher.core.messages.advice import REMEDIES, STORE_REMEDIES, advice, advice_for, store_advice
from watcher.core.polling.result import Cause
from watcher.store.sql.write_faults import WriteFault

LONGEST = 200


def test_every_cause_has_its_advice() -> None:
    assert set(REMEDIES) == set(Cause)


def test_every_write_fault_has_its_own_advice() -> None:
    assert set(STORE_REMEDIES) == {fault.value for fault in WriteFault}
    assert len(set(map(store_advice, STORE_REMEDIES))) == len(WriteFault)


@pytest.mark.parametrize("text", [*map(advice, Cause), *map(store_advice, WriteFault), store_advice("flux")])
def test_advice_is_one_readable_line_without_markup(text: str) -> None:
    assert text.isprintable()
    assert "`" not in text
    assert len(text) <= LONGEST


def test_the_advice_for_an_incident_follows_from_its_cause() -> None:
    assert advice_for(incident_of(CASES["account-denied"])) == advice(Cause.KEY)
    assert advice_for(incident_of(CASES["store-failing"])) == store_advice("disk-full")


@pytest.mark.parametrize("case", ["account-denied", "store-failing"])
def test_a_cause_that_another_version_stored_has_advice_too(case: str) -> None:
    assert "does not know the cause" in advice_for(replace(incident_of(CASES[case]), cause="flux"))
