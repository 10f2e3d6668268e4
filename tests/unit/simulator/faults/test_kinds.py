from __future__ import annotations

import pytest

from tests.support.paths import DOCS
from watcher.simulator.faults.kinds import KINDS, check_fault
from watcher.simulator.faults.model import FaultModel, as_document
from watcher.simulator.faults.plan import OPTIONS, Fault

DOCUMENT = DOCS / "simulator.md"


def documented() -> dict[str, tuple[str, str]]:
    section = DOCUMENT.read_text().partition("## Faults")[2].partition("## ")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in section.splitlines() if line.startswith("| `")]
    return {kind.strip("`"): (says, options) for _, kind, says, options, _ in rows}


def test_the_guide_has_the_effect_and_the_options_of_every_fault() -> None:
    written = {"retry_after_date_seconds": "retry_after_date"}
    assert documented() == {
        name: (kind.says, ", ".join(f"`{written.get(option, option)}`" for option in kind.takes))
        for name, kind in KINDS.items()
    }


def test_kinds_only_take_existing_options() -> None:
    assert all(set(kind.takes) <= set(OPTIONS) for kind in KINDS.values())


def test_an_option_that_a_kind_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="the fault '500' takes no option, not retry_after"):
        check_fault(Fault(kind="500", retry_after="5"))
    with pytest.raises(ValueError, match="takes seconds, not size"):
        check_fault(Fault(kind="slow", size=5))


def test_a_fault_written_as_a_document_reads_back_as_itself() -> None:
    fault = Fault(
        kind="429-rate", service="shop", times=3, rate=0.5, at_seconds=1, for_seconds=2, retry_after_date_seconds=-3
    )
    document = as_document(fault)
    assert document["at"] == 1
    assert document["for"] == 2
    assert document["retry_after_date"] == -3
    assert FaultModel.model_validate(document).fault() == fault
