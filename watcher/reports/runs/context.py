"""The latest run of a training beside the other runs of its service and type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.core.training.comparison import Comparison, UsualFacts

if TYPE_CHECKING:
    from watcher.store.runs.latest import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The latest run of a training beside the other runs of its service and type."""

    comparison: Comparison | None = None
    """It beside the runs before it; ``None`` where it goes on, was stopped, or there is none."""
    failures: int = 0
    """Failed runs in a row: those up to it where it failed, else those just before it."""
    first_failure: RunResult | None = None
    """The first of them."""
    usual: UsualFacts | None = None
    """How long runs take until they complete; ``None`` where too few are known."""
    others: Sequence[RunResult] = ()
    """The latest other runs that completed or failed, the newest last."""
