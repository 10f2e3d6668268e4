"""The faults of ``make mutants`` match the current code, and leave a valid program."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.support.paths import ROOT


def test_every_planted_fault_matches_the_code_once() -> None:
    script = ROOT / "scripts" / "mutants.py"
    if not script.exists():
        pytest.skip("the scripts exist only in the source")
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
