"""The lines of ``doctor`` and of ``check --online``: a subject, a verdict, a detail and a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from watcher.cli.text.layout import Cell
from watcher.cli.text.output import BAD, GOOD, WARN, Screen, cell
from watcher.core.text_width import width

if TYPE_CHECKING:
    from watcher.reports.doctor import DoctorCheck
    from watcher.reports.online import OnlineCheck

ABOUT_WIDTH: Final = 32
"""Columns of the subject, before the verdict."""
STYLES: Final = {"ok": GOOD, "warning": WARN, "fault": BAD}


def show_doctor_check(check: DoctorCheck, out: Screen) -> None:
    """Write one check of ``doctor``."""
    verdict = Cell(f"{check.verdict:8}", STYLES[check.verdict])
    _show(cell(check.about), verdict, cell(check.detail), cell(check.remedy), out)


def show_online_check(check: OnlineCheck, out: Screen) -> None:
    """Write one check of ``check --online``."""
    verdict = Cell("ok      ", GOOD) if check.good else Cell("FAILED  ", BAD)
    cause = f"{check.cause}: " if check.cause else ""
    _show(cell(check.about), verdict, cell(cause + check.detail), Cell(check.advice), out)


def _show(about: Cell, verdict: Cell, detail: Cell, remedy: Cell, out: Screen) -> None:
    gap = " " * max(1, ABOUT_WIDTH - width(about.text))
    out.line(about, gap, verdict, detail)
    if remedy.text:
        out.line(" " * ABOUT_WIDTH, remedy)
    # A check may take seconds: each line appears when it is known.
    out.flush()
