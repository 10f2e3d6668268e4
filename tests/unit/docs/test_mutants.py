"""The faults that ``make mutants`` plants fit the code as it is, and leave a program."""

from __future__ import annotations

from tests.support.paths import ROOT

import importlib.util
import sys
from pathlib import Path

import pytest



def test_every_planted_fault_has_its_place_in_the_code() -> None:
    script = ROOT / "scripts" / "mutants.py"
    if not script.exists():
        pytest.skip("without the source: its scripts are not here")
    spec = importlib.util.spec_from_file_location("mutants", script)
    assert spec is not None
    assert spec.loader is not None
    mutants = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutants)
    assert len(mutants.MUTANTS) >= 20
    for mutant in mutants.MUTANTS:
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.fault
        compile(text.replace(mutant.old, mutant.new), mutant.fault, "exec")
