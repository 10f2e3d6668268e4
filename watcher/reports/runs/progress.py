"""A run in progress beside earlier ones: how long they took, and when it should end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from watcher.core.durations.current_run import CurrentRun
from watcher.core.durations.expected_end import ExpectedEnd, expected_end
from watcher.core.durations.past_runs import PastRun, Population, Sample, sample_for
from watcher.core.durations.usual_durations import usual_durations
from watcher.core.timestamps import to_text
from watcher.core.training.comparison import UsualFacts, usual_json
from watcher.core.training.model import Snapshot
from watcher.core.training.run import hpo_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The run of a training in progress."""

    run: CurrentRun
    usual: UsualFacts | None
    """How long runs of its service and type take until they complete.

    ``None`` where too few are known, and for a run that is being stopped.
    """
    expected: ExpectedEnd | None
    """``None`` where that or its start is not known."""

    def as_json(self) -> dict[str, object]:
        """Return the run for programs."""
        start = self.run.start
        return {
            "started_after": None if start is None else to_text(start.started_after),
            "started_before": None if start is None else to_text(start.started_before),
            "usual": None if self.usual is None else usual_json(self.usual),
            "expected_end": None if self.expected is None else expected_json(self.expected),
        }


class PopulationSamples:
    """The durations to learn from, by population; each is read once."""

    def __init__(self, runs_of: Callable[[Population], Iterable[PastRun]], now: datetime) -> None:
        self._runs_of = runs_of
        self._now = now
        self._known: dict[Population, tuple[Population, Sample] | None] = {}

    def of(self, population: Population) -> tuple[Population, Sample] | None:
        """Return the durations, and the population that has them; ``None`` where too few are known."""
        if population not in self._known:
            self._known[population] = sample_for(population, self._runs_of, self._now)
        return self._known[population]

    def usual(self, population: Population) -> UsualFacts | None:
        """Return the usual durations of a population; ``None`` where too few are known."""
        found = self.of(population)
        return None if found is None else _usual_facts(*found)

    def progress(self, snapshot: Snapshot) -> Progress | None:
        """Return the run in progress of a training; ``None`` without one."""
        run = snapshot.run
        if run is None or not snapshot.may_be_in_progress:
            return None
        found = None if run.is_stopping else self.of(population_of(snapshot))
        if found is None:
            return Progress(run=run, usual=None, expected=None)
        start = run.start
        expected = None if start is None else expected_end(found[1], start.bounds.middle, self._now)
        return Progress(run=run, usual=_usual_facts(*found), expected=expected)


def population_of(snapshot: Snapshot, stage: str | None = None) -> Population:
    """Return the runs that those of a training resemble, or one stage of them."""
    ref = snapshot.ref
    return Population(ref.account, ref.type, ref.service, hpo_of(snapshot.record), stage)


def expected_json(expected: ExpectedEnd) -> dict[str, object]:
    """Return an expected end for programs; its times are empty where no end is claimed."""
    times = expected.times
    return {
        "reason": expected.reason.value,
        "median": None if times is None else to_text(times.median),
        "low": None if times is None else to_text(times.low),
        "high": None if times is None else to_text(times.high),
        "runs": expected.runs,
    }


def _usual_facts(population: Population, sample: Sample) -> UsualFacts:
    usual = usual_durations(sample)
    return UsualFacts(
        median=usual.median,
        low=usual.low,
        high=usual.high,
        longest=usual.longest,
        runs=usual.runs,
        level_since=usual.level_since,
        whole_account=population.service is None,
    )
