"""Whether a training in progress may be stuck, by the limits of its stage and its run.

An answer to a request that began after a limit shows it: no alert is made without a fresh poll. Each limit is reported
once, and once more after three times the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.core.durations.current_run import Bounds, CurrentRun, StuckReport
from watcher.core.durations.stuck_limit import StuckLevel, StuckLimit
from watcher.core.training.comparison import StuckFacts
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.stuck_rules import StuckRule, StuckRules


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitInForce:
    """The limit of the present stage, or of the run, with the time that counts against it."""

    limit: StuckLimit
    since: Bounds
    unpolled: timedelta
    reached: int
    """The level that was reached before."""
    whole_run: bool
    begin_seen: bool
    """Whether polls saw the stage or the run begin."""

    def level_at(self, time: datetime) -> StuckLevel:
        """Return the level that is reached at a time."""
        # The latest possible start: a training is not reported before it has surely taken so long.
        return self.limit.level_after(time - self.since.before - self.unpolled)

    @property
    def next_deadline(self) -> datetime | None:
        """The time at which the next level is reached; ``None`` after the last."""
        if self.reached >= StuckLevel.SECOND:
            return None
        return self.since.before + self.unpolled + self.limit.of(StuckLevel(self.reached + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInProgress:
    """A run that goes on, as metrics show it."""

    ref: TrainingRef
    status: str
    expected_end: datetime | None
    """UTC; ``None`` where too few earlier runs are known."""
    deadline: datetime | None
    """The time at which it may be stuck next, UTC; ``None`` where no limit is known, or the last has passed."""
    stuck_level: int
    """The level of ``stuck`` that its present stage has reached; 0 for none."""


def run_in_progress(snapshot: Snapshot, rules: StuckRules) -> RunInProgress:
    """Return the facts of a training in progress."""
    run = snapshot.run
    limits = None if run is None else run.limits
    return RunInProgress(
        ref=snapshot.ref,
        status=snapshot.status or "",
        expected_end=None if limits is None else limits.expected_end,
        deadline=next_deadline(snapshot, rules),
        stuck_level=0 if run is None or run.report is None else run.report.level,
    )


def limits_in_force(snapshot: Snapshot, rules: StuckRules) -> tuple[LimitInForce, ...]:
    """Return the limits that a training in progress has: that of its stage first, then that of its run."""
    return () if snapshot.run is None or snapshot.gone else tuple(_limits(snapshot, snapshot.run, rules))


def next_deadline(snapshot: Snapshot, rules: StuckRules) -> datetime | None:
    """Return the time at which a training may be stuck next, UTC; ``None`` where no limit is known."""
    deadlines = (item.next_deadline for item in limits_in_force(snapshot, rules))
    return min((time for time in deadlines if time is not None), default=None)


def after_gap(run: CurrentRun, seen_after: datetime, polling_since: datetime) -> CurrentRun:
    """Return a run after a gap in polling, which does not count; the same run without a gap.

    Args:
        run: The run in progress.
        seen_after: The start of the last request whose answer showed it, UTC.
        polling_since: The end of the gap, UTC.
    """
    gap = polling_since - seen_after
    return run.with_gap(gap) if gap > timedelta() else run


def after_limits(
    snapshot: Snapshot, run: CurrentRun, rules: StuckRules, asked_at: datetime
) -> tuple[CurrentRun, StuckFacts | None]:
    """Return the run of a training that an answer shows in its stage, and the facts to report, if any.

    Args:
        snapshot: The recorded state.
        run: Its run.
        rules: Those of its watch.
        asked_at: The start of the request, UTC.
    """
    passed = [item for item in limits_in_force(snapshot, rules) if item.level_at(asked_at) > item.reached]
    if not passed:
        return run, None
    for item in passed:
        level = int(item.level_at(asked_at))
        run = replace(run, run_level=level) if item.whole_run else replace(run, stage_level=level)
    worst = max(passed, key=lambda item: (item.level_at(asked_at), not item.whole_run))
    return _reported(run, worst, asked_at)


def _reported(run: CurrentRun, item: LimitInForce, asked_at: datetime) -> tuple[CurrentRun, StuckFacts | None]:
    level, before = int(item.level_at(asked_at)), run.report
    if before is not None and before.level >= level:
        # The other limit has said the same in this stage.
        return run, None
    first_at = asked_at if before is None else before.first_at
    report = StuckReport(first_at=first_at, level=level, whole_run=item.whole_run)
    return replace(run, report=report), StuckFacts(
        level=level,
        whole_run=item.whole_run,
        since=item.since,
        limit=item.limit.first,
        next_limit=item.limit.second if level < StuckLevel.SECOND else None,
        usual=None,
        learned=item.limit.runs is not None,
        reported_at=None if before is None else before.first_at,
        begin_seen=item.begin_seen,
    )


def reported_before(snapshot: Snapshot, rules: StuckRules) -> StuckFacts | None:
    """Return what was reported of a training that moves on now; ``None`` where nothing was."""
    report = None if snapshot.run is None else snapshot.run.report
    if report is None:
        return None
    known = [item for item in limits_in_force(snapshot, rules) if item.whole_run == report.whole_run]
    since = known[0].since if known else Bounds(after=report.first_at, before=report.first_at)
    return StuckFacts(
        level=report.level,
        whole_run=report.whole_run,
        since=since,
        limit=known[0].limit.first if known else timedelta(),
        next_limit=None,
        usual=None,
        learned=not known or known[0].limit.runs is not None,
        reported_at=report.first_at,
        begin_seen=bool(known) and known[0].begin_seen,
    )


def _limits(snapshot: Snapshot, run: CurrentRun, rules: StuckRules) -> Iterator[LimitInForce]:
    # The watcher has seen it for so long at least, where no poll saw the stage begin.
    found = Bounds(after=snapshot.first_seen_at, before=snapshot.first_seen_at)
    if (limit := _stage_limit(run, rules)) is not None:
        yield LimitInForce(
            limit=limit,
            since=run.stage.entered or found,
            unpolled=run.unpolled_in_stage,
            reached=run.stage_level,
            whole_run=False,
            begin_seen=run.stage.entered is not None,
        )
    # The runs that the limit was learned from completed; one that is being stopped does not.
    if rules.learns_runs and run.limits is not None and run.limits.run is not None and not run.is_stopping:
        yield LimitInForce(
            limit=run.limits.run,
            since=found if run.start is None else run.start.bounds,
            unpolled=run.unpolled_in_run,
            reached=run.run_level,
            whole_run=True,
            begin_seen=run.start is not None,
        )


def _stage_limit(run: CurrentRun, rules: StuckRules) -> StuckLimit | None:
    rule = rules.of(run.stage.status)
    if isinstance(rule, timedelta):
        return StuckLimit(first=rule)
    if rule is StuckRule.NEVER or run.limits is None:
        return None
    return run.limits.stage
