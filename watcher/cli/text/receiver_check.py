"""The result of the command ``test`` as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.cli.text.output import BAD, GOOD, Screen, cell
from watcher.core.delivery.model import Delivered, Outcome
from watcher.reports.receiver_check import history_text, outcome_text, scopes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.core.health.problems import Problem
    from watcher.receivers.slack.access import Access


def show_outcome(receiver: str, outcome: Outcome, out: Screen) -> None:
    """Write the outcome and the receiver's answer."""
    style = GOOD if isinstance(outcome, Delivered) else BAD
    out.line("receiver ", cell(receiver), ": ", cell(outcome_text(outcome), style))
    if outcome.answer:
        out.line("answer: ", cell(outcome.answer))


def show_stopped(problems: Sequence[Problem], out: Screen) -> None:
    """Write why the daemon sends no alerts, whatever the receiver answers."""
    for problem in problems:
        out.line("daemon: ", cell(problem.text, BAD))
        out.line("  ", cell(problem.remedy))


def show_access(access: Access, out: Screen) -> None:
    """Write Slack's information about the token."""
    if access.refused is not None:
        out.line("slack: ", cell(access.refused, BAD))
        return
    out.line("token: ", cell(f"{access.identity}, {scopes_text(access)}"))
    out.line("channel: ", cell(history_text(access), GOOD if access.unreadable is None else BAD))
