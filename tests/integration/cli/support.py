"""Runs a command in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from watcher.cli.app import app_for


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a command."""

    status: int
    out: str
    err: str


Run = Callable[..., Result]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command to its end."""

    def run(*args: str | Path) -> Result:
        arguments = [str(arg) for arg in args]
        before = structlog.get_config()
        try:
            with pytest.raises(SystemExit) as ended:
                app_for(arguments)(arguments, prog_name="aitems-watcher")
        finally:
            structlog.configure(**before)
        shown = capsys.readouterr()
        return Result(int(ended.value.code or 0), shown.out, shown.err)

    return run
