"""The faults of ``make mutants`` match the current code and tests, and leave a valid program."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    script = ROOT / "scripts" / "mutants.py"
    if not script.exists():
        pytest.skip("the scripts exist only in the source")
    spec = importlib.util.spec_from_file_location("mutants", script)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(module.MUTANTS) >= 20
    return module


def test_every_planted_fault_matches_the_code_once(mutants: ModuleType) -> None:
    for mutant in mutants.MUTANTS:
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.fault
        compile(text.replace(mutant.old, mutant.new), mutant.fault, "exec")


def test_the_tests_of_every_planted_fault_exist(mutants: ModuleType) -> None:
    named = {test.partition("::")[0] for mutant in mutants.MUTANTS for test in mutant.tests.split()}
    assert [test for test in sorted(named) if test.endswith(".py") and not (ROOT / test).is_file()] == []


def test_a_planted_fault_uses_no_unknown_name(mutants: ModuleType, tmp_path: Path) -> None:
    """Such a name fails by itself, whether or not a test sees the fault."""
    pytest.importorskip("ruff")
    for number, mutant in enumerate(mutants.MUTANTS):
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        (tmp_path / f"{number}.py").write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "concise"]
    found = subprocess.run([*command, str(tmp_path)], check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
