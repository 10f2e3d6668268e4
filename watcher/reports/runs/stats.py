"""The data of ``stats``: how many runs there were, how they ended, how long they took, and how that changed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from watcher.core.durations.past_runs import FEWEST_RUNS, Outcome, Sample
from watcher.core.durations.usual_durations import UsualDurations, usual_durations
from watcher.core.timestamps import to_text
from watcher.core.training.model import PHASES

RunLine = tuple[str, str, str, str, float | None]
"""The account, the service, the type, the outcome, and the seconds of a run that teaches."""
StageLine = tuple[str, str, str, str, float]
"""The account, the service, the type, the status of a stage, and its seconds."""
STAGE_ORDER: Final[Mapping[str, int]] = {str(status): place for place, status in enumerate(PHASES)}


class By(StrEnum):
    """The groups of ``stats``."""

    SERVICE = "service"
    TYPE = "type"
    STAGE = "stage"


@dataclass(frozen=True, slots=True)
class StatsGroup:
    """The runs of a service, of one of its types, or of a stage of one."""

    account: str
    service: str
    type: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeStreak:
    """The latest runs that ended alike; stopped ones neither count nor break it."""

    outcome: Outcome
    runs: int


@dataclass(slots=True)
class Tally:
    """The runs of a group in a period, while they are counted."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    """The durations of those that teach."""
    last: str = ""
    in_a_row: int = 0

    def add(self, outcome: str, seconds: float | None) -> None:
        """Count a run that ended after all before."""
        self.counts[outcome] += 1
        if seconds is not None:
            self.seconds.append(seconds)
        if outcome == self.last:
            self.in_a_row += 1
        elif outcome != Outcome.STOPPED:
            self.last, self.in_a_row = outcome, 1

    @property
    def runs(self) -> int:
        """The number of all runs."""
        return sum(self.counts.values())

    @property
    def success_rate(self) -> float | None:
        """The completed share of the runs that completed or failed; ``None`` where none did."""
        completed, failed = self.counts[Outcome.COMPLETED], self.counts[Outcome.FAILED]
        return completed / (completed + failed) if completed or failed else None

    @property
    def streak(self) -> OutcomeStreak | None:
        """The latest runs that ended alike; ``None`` without one that completed or failed."""
        return OutcomeStreak(Outcome(self.last), self.in_a_row) if self.last else None

    @property
    def usual(self) -> UsualDurations | None:
        """How long completed runs took; ``None`` for fewer than 5."""
        return durations_of(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRow:
    """A group in a period, beside the period before."""

    group: StatsGroup
    name: str | None = None
    """The name of the service in the configuration."""
    runs: int
    counts: Mapping[str, int] | None
    """By outcome; ``None`` for a stage, of which only completed runs are read."""
    success_rate: float | None = None
    streak: OutcomeStreak | None = None
    usual: UsualDurations | None
    previous_runs: int = 0
    previous_success_rate: float | None = None
    previous_median: timedelta | None = None

    @property
    def trend(self) -> float | None:
        """The change of the median since the period before, as a share of it; ``None`` where one is not known."""
        if self.usual is None or not self.previous_median:
            return None
        return self.usual.median / self.previous_median - 1

    def as_json(self) -> dict[str, object]:
        """Return the row for programs, also as the fields of a line of CSV."""
        usual, counts = self.usual, self.counts or {}
        return {
            "account": self.group.account,
            "service": self.group.service,
            "service_name": self.name,
            "training_type": self.group.type,
            "stage": self.group.stage,
            "runs": self.runs,
            **{outcome.value: counts.get(outcome) for outcome in Outcome},
            "success_rate": self.success_rate,
            "streak_outcome": None if self.streak is None else self.streak.outcome.value,
            "streak_runs": None if self.streak is None else self.streak.runs,
            "timed_runs": None if usual is None else usual.runs,
            "median_seconds": None if usual is None else usual.median.total_seconds(),
            "low_seconds": None if usual is None else usual.low.total_seconds(),
            "high_seconds": None if usual is None else usual.high.total_seconds(),
            "longest_seconds": None if usual is None else usual.longest.total_seconds(),
            "trend": self.trend,
            "previous_runs": self.previous_runs,
            "previous_success_rate": self.previous_success_rate,
            "previous_median_seconds": None if self.previous_median is None else self.previous_median.total_seconds(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReport:
    """The data of ``stats``."""

    at: datetime
    since: datetime
    previous_since: datetime
    by: By
    rows: Sequence[StatsRow]

    def as_json(self) -> dict[str, object]:
        """Return the report for programs."""
        times = {"at": self.at, "since": self.since, "previous_since": self.previous_since}
        written = {name: to_text(time) for name, time in times.items()}
        return {**written, "by": self.by.value, "rows": [row.as_json() for row in self.rows]}


FIELDS: Final = tuple(StatsRow(group=StatsGroup("", ""), runs=0, counts=None, usual=None).as_json())
"""The names of a row's fields, as JSON and CSV have them."""


def durations_of(seconds: Iterable[float]) -> UsualDurations | None:
    """Return how long runs took; ``None`` for fewer than 5."""
    ordered = tuple(sorted(seconds))
    return usual_durations(Sample(seconds=ordered)) if len(ordered) >= FEWEST_RUNS else None


def tallied(
    pages: Iterable[Sequence[RunLine]], by: By, earlier: Mapping[StatsGroup, Tally] | None = None
) -> dict[StatsGroup, Tally]:
    """Count the runs of each group.

    Args:
        pages: The runs of a period, in the order of their ends.
        by: Whether a group is a service, or a type of one.
        earlier: The groups of the period before; a streak goes on from there.
    """
    # A tuple as the key: there may be a million lines.
    found: dict[tuple[str, str, str], Tally] = {}
    whole_service = by is By.SERVICE
    for page in pages:
        for account, service, kind, outcome, seconds in page:
            key = (account, service, "" if whole_service else kind)
            tally = found.get(key)
            if tally is None:
                tally = found[key] = _after((earlier or {}).get(_group(key)))
            tally.add(outcome, seconds)
    return {_group(key): tally for key, tally in found.items()}


def run_rows(tallies: Mapping[StatsGroup, Tally], earlier: Mapping[StatsGroup, Tally]) -> list[StatsRow]:
    """Return one row a group that has runs in a period or in the one before, in order."""
    nothing = Tally()
    groups = sorted({*tallies, *earlier}, key=_place)
    return [_run_row(group, tallies.get(group, nothing), earlier.get(group, nothing)) for group in groups]


def stage_seconds(pages: Iterable[Sequence[StageLine]]) -> dict[StatsGroup, array[float]]:
    """Return the durations of each stage of a service and type."""
    found: dict[tuple[str, str, str, str], array[float]] = {}
    for page in pages:
        for account, service, kind, status, seconds in page:
            key = (account, service, kind, status)
            if key not in found:
                found[key] = array("d")
            found[key].append(seconds)
    return {StatsGroup(*key): seconds for key, seconds in found.items()}


def stage_rows(
    known: Mapping[StatsGroup, array[float]], earlier: Mapping[StatsGroup, array[float]]
) -> Iterator[StatsRow]:
    """Yield one row a stage of a service and type, from its durations in a period and in the one before."""
    for group in sorted({*known, *earlier}, key=lambda group: (_place(group), _stage_place(group))):
        seconds, before = known.get(group, ()), earlier.get(group, ())
        then = durations_of(before)
        yield StatsRow(
            group=group,
            runs=len(seconds),
            counts=None,
            usual=durations_of(seconds),
            previous_runs=len(before),
            previous_median=None if then is None else then.median,
        )


def _run_row(group: StatsGroup, tally: Tally, earlier: Tally) -> StatsRow:
    before = earlier.usual
    return StatsRow(
        group=group,
        runs=tally.runs,
        counts=tally.counts,
        success_rate=tally.success_rate,
        streak=tally.streak or earlier.streak,
        usual=tally.usual,
        previous_runs=earlier.runs,
        previous_success_rate=earlier.success_rate,
        previous_median=None if before is None else before.median,
    )


def _after(earlier: Tally | None) -> Tally:
    return Tally() if earlier is None else Tally(last=earlier.last, in_a_row=earlier.in_a_row)


def _group(key: tuple[str, str, str]) -> StatsGroup:
    account, service, kind = key
    return StatsGroup(account, service, kind or None)


def _place(group: StatsGroup) -> tuple[str, str, str]:
    return group.account, group.service, group.type or ""


def _stage_place(group: StatsGroup) -> tuple[int, str]:
    status = group.stage or ""
    return STAGE_ORDER.get(status, len(STAGE_ORDER)), status
