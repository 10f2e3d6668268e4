"""The earlier runs of a service and type, and the comparison of a run with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits
from watcher.core.durations.expected_end import expected_end
from watcher.core.durations.past_runs import Outcome, PastRun, Sample, sample_of
from watcher.core.durations.prediction import prediction_of
from watcher.core.durations.stuck_limit import StuckLimit, learned_limit
from watcher.core.durations.usual_durations import is_fast, usual_durations
from watcher.core.training.comparison import (
    Comparison,
    EndFacts,
    OtherVersion,
    Pace,
    SettingChange,
    UsualFacts,
    setting_changes,
)
from watcher.core.training.run import EndedRun


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs that resemble each other: those of a service and type, with or without HPO."""

    account: str
    service: str
    type: str
    hpo: bool | None
    """Whether hyperparameters are optimised; ``None`` where AiTEMS did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """A version whose run has ended."""

    version: str
    ended: Bounds | None
    """``None`` where the first poll found it as ended."""
    config: Mapping[str, object] | None
    """Its ``hpConfig``; ``None`` where it is not known any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsWanted:
    """The earlier runs of a group that a decision needs; to read all of them takes milliseconds."""

    completed: bool = True
    """Those that completed."""
    failed: bool = False
    """Those that failed."""
    streak: bool = False
    """The latest ones in a row, and the last good and the last failed version."""
    stages: frozenset[str] = frozenset()
    """The statuses of the stages of completed runs."""

    def __bool__(self) -> bool:
        return self.completed or self.failed or self.streak or bool(self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRuns:
    """The runs of a group before the present ones, as far as later runs are compared with them."""

    completed: Sequence[PastRun] = ()
    """Those that teach, the oldest first."""
    completed_in_account: Sequence[PastRun] = ()
    """Those of the type in the whole account, where the group has too few."""
    failed: Sequence[PastRun] = ()
    stages: Mapping[str, Sequence[PastRun]] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """The stages of completed runs, by status."""
    failures: int = 0
    """The failed runs since the last completed one."""
    successes: int = 0
    """The completed runs since the last failed one."""
    last_good: KnownVersion | None = None
    last_failed: KnownVersion | None = None

    def with_run(self, run: EndedRun, config: Mapping[str, object] | None) -> EarlierRuns:
        """Return these runs and one more, for the next run of the same answer."""
        version = KnownVersion(version=run.ref.version, ended=run.ended, config=config)
        if run.outcome is Outcome.FAILED:
            return replace(self, failures=self.failures + 1, successes=0, last_failed=version)
        if run.outcome is Outcome.COMPLETED:
            return replace(self, failures=0, successes=self.successes + 1, last_good=version)
        return self


class Samples:
    """The samples of earlier runs that count at present, each made once; the runs themselves are not kept."""

    def __init__(self, earlier: EarlierRuns, now: datetime) -> None:
        self.own = sample_of(earlier.completed, now)
        """The completed runs of the group; ``None`` for fewer than 5."""
        self.in_account = sample_of(earlier.completed_in_account, now)
        """Those of the type in the whole account."""
        self.failed: Sample | None = None
        """The failed runs of the group."""
        self._stages: dict[str, Sample | None] = {}
        self.add(earlier, now)

    def add(self, earlier: EarlierRuns, now: datetime) -> None:
        """Add the failed runs and the stages of the same group that were read later."""
        if earlier.failed:
            self.failed = sample_of(earlier.failed, now, Outcome.FAILED)
        self._stages |= {status: sample_of(runs, now) for status, runs in earlier.stages.items()}

    def beyond(self, wanted: RunsWanted) -> RunsWanted:
        """Return those of the wanted runs that these samples do not have."""
        return replace(wanted, completed=False, stages=wanted.stages - self._stages.keys())

    @cached_property
    def limit(self) -> StuckLimit | None:
        """The limit of a run. Another service's data may have another size: its runs give none (decision 15)."""
        return None if self.own is None else learned_limit(self.own)

    @cached_property
    def usual(self) -> UsualFacts | None:
        """How long runs usually take until they complete."""
        own = usual_facts(self.own)
        wider = usual_facts(self.in_account) if own is None else None
        return own if wider is None else replace(wider, whole_account=True)

    @cached_property
    def until_failure(self) -> UsualFacts | None:
        """How long failed runs usually take until they fail."""
        return usual_facts(self.failed)

    def stage(self, status: str) -> Sample | None:
        """Return the stages with this status of completed runs of the group; ``None`` for fewer than 5."""
        return self._stages.get(status)


def compared(run: EndedRun, earlier: EarlierRuns, samples: Samples, config: Mapping[str, object] | None) -> Comparison:
    """Return the comparison of a run that ended with those before it.

    Args:
        run: The run.
        earlier: The runs before it.
        samples: Their samples.
        config: Its ``hpConfig``; ``None`` where AiTEMS gave none.
    """
    is_failure = run.outcome is Outcome.FAILED
    last = earlier.last_good
    other = last if is_failure else earlier.last_failed if earlier.failures else None
    changes = _changes(other, config)
    return Comparison(
        usual=samples.usual,
        until_failure=samples.until_failure if is_failure else None,
        pace=Pace.UNKNOWN if is_failure else _pace(run, samples),
        failures=earlier.failures + is_failure,
        successes=earlier.successes if is_failure else 0,
        last_good=None if last is None else OtherVersion(version=last.version, ended=last.ended),
        compared_with=None if other is None or changes is None else other.version,
        changes=changes or (),
    )


def learned_limits(run: CurrentRun, samples: Samples, now: datetime) -> LearnedLimits:
    """Return the limits of a run's present stage and of the run; none where the group has fewer than 5 runs."""
    stage, end = samples.stage(run.stage.status), end_facts(run, samples, now)
    return LearnedLimits(
        stage=None if stage is None else learned_limit(stage),
        run=samples.limit,
        prediction=None if samples.own is None else prediction_of(samples.own),
        expected_end=None if end is None else end.median,
    )


def end_facts(run: CurrentRun, samples: Samples, now: datetime) -> EndFacts | None:
    """Return when a run is expected to end; ``None`` where it is late or stopping, or too little is known."""
    sample = samples.own or samples.in_account
    if run.start is None or sample is None or run.is_stopping:
        return None
    expected = expected_end(sample, run.start.bounds.middle, now)
    times = expected.times
    return None if times is None else EndFacts(median=times.median, low=times.low, high=times.high, runs=expected.runs)


def usual_facts(sample: Sample | None) -> UsualFacts | None:
    """Return the usual durations of a sample as an event states them."""
    if sample is None:
        return None
    usual = usual_durations(sample)
    return UsualFacts(
        median=usual.median,
        low=usual.low,
        high=usual.high,
        longest=usual.longest,
        runs=usual.runs,
        level_since=usual.level_since,
    )


def _pace(run: EndedRun, samples: Samples) -> Pace:
    past, sample, limit = run.past_run, samples.own, samples.limit
    if past is None or sample is None or limit is None or past.duration <= timedelta():
        return Pace.UNKNOWN
    if past.duration >= limit.first:
        return Pace.TOO_LONG
    if is_fast(sample, past.duration + past.uncertainty):
        return Pace.FAST
    return Pace.LONG if past.duration > usual_durations(sample).high else Pace.USUAL


def _changes(other: KnownVersion | None, config: Mapping[str, object] | None) -> tuple[SettingChange, ...] | None:
    if other is None or other.config is None or config is None:
        return None
    return setting_changes(other.config, config)
