"""The installation: the lock of the program alone, and one line for a Python that is too old."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
OLD = ("3.9.2 (default)", "3.10.12 (main)", "3.6.8 (default)")


def load_script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_runtime_lock_is_the_part_of_the_full_lock_that_the_program_needs() -> None:
    lock = (ROOT / "requirements-runtime.lock").read_text()
    assert lock == load_script("runtime_lock").runtime_lock(), "run `make lock`"
    pinned = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {canonicalize_name(Requirement(line).name) for line in project["dependencies"]} <= pinned
    assert not {"pytest", "mypy", "ruff"} & pinned
    assert "://" not in lock


def old_python(folder: Path, version: str) -> Path:
    """Return a command that is Python, and claims another version."""
    numbers = version.split(maxsplit=1)[0].split(".")
    claim = f"import sys; sys.version_info = ({', '.join(numbers)}, 'final', 0); sys.version = '{version}'; "
    path = folder / "python-old"
    path.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{claim}"\'exec(sys.argv[1])\' "$@"\n')
    path.chmod(0o755)
    return path


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own
        command, check=False, capture_output=True, text=True, env={**os.environ, **environ}, cwd=ROOT
    )


@pytest.mark.parametrize("version", OLD)
def test_an_old_python_is_refused_in_one_line(tmp_path: Path, version: str) -> None:
    python = old_python(tmp_path, version)
    for command in (("scripts/install-server",), ("make", f"PYTHON={python}", f"VENV={tmp_path}/venv", "setup")):
        ended = run(*command, PYTHON=str(python), TARGET=str(tmp_path / "target"))
        assert ended.returncode != 0
        line = ended.stderr.splitlines()[0]
        assert line == (
            f"aitems-watcher needs Python 3.11 or newer; this is Python {version.split(maxsplit=1)[0]}: "
            "set PYTHON=/path/to/python3.11"
        )
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_refused_in_one_line(tmp_path: Path) -> None:
    ended = run("scripts/install-server", PYTHON=str(tmp_path / "none"), TARGET=str(tmp_path / "target"))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "there is no " in ended.stderr


@pytest.mark.parametrize("version", OLD)
def test_the_program_itself_refuses_an_old_python(tmp_path: Path, version: str) -> None:
    code = "import runpy; runpy.run_module('watcher', run_name='__main__')"
    ended = run(old_python(tmp_path, version), "-c", code)
    assert ended.returncode == 1
    assert ended.stderr == f"aitems-watcher needs Python 3.11 or newer; this is Python {version.split(maxsplit=1)[0]}\n"


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 9, 18), (3, 10, 13)])
def test_pip_of_an_old_python_is_refused_before_the_dependencies_are_resolved(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    hook = load_script("hatch_metadata").CustomMetadataHook(str(ROOT), {})
    hook.update({})
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match="needs Python 3.11 or newer"):
        hook.update({})


def test_the_build_calls_the_hook_for_the_metadata() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    path = hatch["metadata"]["hooks"]["custom"]["path"]
    assert (ROOT / path).exists()
    assert f"/{path}" in hatch["build"]["targets"]["sdist"]["include"], "a source distribution is built, too"
