"""Read what the latest run of a training is compared with: the same as a message about its end says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from watcher.core.timestamps import to_text
from watcher.core.training.comparison import Comparison
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted, Samples, compared
from watcher.core.training.run import EndedRun, hpo_of
from watcher.reports.runs.context import RunContext
from watcher.reports.training_page import TrainingPage
from watcher.store.runs.history import config_of, read_earlier
from watcher.store.runs.latest import RunResult, TypeRef, first_failure_since, latest_results
from watcher.store.views import Views

OTHERS: Final = 10
"""Other runs that a page shows."""


def read_run_context(views: Views, page: TrainingPage) -> RunContext:
    """Read what the present or the latest run of a training is compared with: the runs that had ended before it."""
    snapshot, progress = page.training.snapshot, page.training.progress
    of = TypeRef(snapshot.ref.account, snapshot.ref.service, snapshot.ref.type)
    ended = page.runs[-1] if page.runs and snapshot.run is None else None
    before = page.at if ended is None else ended.ended.before
    group = RunGroup(of.account, of.service, of.type, hpo_of(snapshot.record) if ended is None else ended.hpo)
    earlier = read_earlier(views.connection, group, RunsWanted(completed=progress is None, streak=True), before, before)
    samples = Samples(earlier, before)
    is_compared = ended is not None and ended.is_end
    comparison = compared(ended, earlier, samples, config_of(snapshot.record)) if ended and is_compared else None
    failures = _failures(page, earlier, comparison)
    return RunContext(
        comparison=comparison,
        failures=failures,
        first_failure=_first_failure(views, of, earlier) if failures else None,
        usual=samples.usual if progress is None else progress.usual,
        others=_others(views, of, ended),
    )


def _failures(page: TrainingPage, earlier: EarlierRuns, comparison: Comparison | None) -> int:
    if comparison is not None:
        return comparison.failures
    # A training without a run in progress that was stopped, or has no run, is no part of a row.
    return 0 if page.current_run is None else earlier.failures


def _first_failure(views: Views, of: TypeRef, earlier: EarlierRuns) -> RunResult | None:
    good = earlier.last_good
    return first_failure_since(
        views.connection, of, "" if good is None or good.ended is None else to_text(good.ended.before)
    )


def _others(views: Views, of: TypeRef, own: EndedRun | None) -> Sequence[RunResult]:
    """Return the latest runs of a type but one."""
    found = latest_results(views.connection, of, OTHERS + 1)
    others = [item for item in found if own is None or (item.ref, item.ended) != (own.ref, own.ended)]
    return others[-OTHERS:]
