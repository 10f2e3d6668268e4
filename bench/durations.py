"""``python -m bench.durations``: limits and expected ends that are learned from invented runs, beside their bars."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import exp, sqrt
from random import Random
from statistics import NormalDist, fmean, median
from typing import Final

from bench.figure import Bar, Figure, percentile
from bench.invented_runs import POPULATIONS, Draw, doubling, gamma, log_normal, two_humps
from watcher.core.durations.outliers import robust_limit
from watcher.core.durations.past_runs import FEWEST_RUNS, MOST_RUNS, Sample, logarithms, next_level_start
from watcher.core.durations.prediction import prediction_of
from watcher.core.durations.stuck_limit import limit_seconds
from watcher.core.durations.student_t import value_with

SERVICES: Final = 150
RUNS: Final = 100
"""The runs of each service; a limit is learned from the sixth on."""
HANGS: Final = 10
"""Hangs are tried in so many times more services, as each needs only one limit."""
BEFORE_CHANGE: Final = 50
AFTER_CHANGE: Final = 30
OUTLIER: Final = 8
SEED: Final = 12
ELAPSED: Final = (0.0, 0.5, 0.9, 1.2)
"""Parts of the median duration after which an end is expected."""
END_POPULATIONS: Final[Mapping[str, Draw]] = {
    "log-normal, variation 0.3": log_normal(0.3),
    "gamma, variation 0.3": gamma(0.3),
    "log-normal, variation 1.0": log_normal(1.0),
    "two humps, 1 of 2 takes 3 times": two_humps(0.5, 3),
}
END_TITLE: Final = (
    "Expected end, by the part of the median that a run has taken: ends within the middle 80 %, and the mean distance "
    "of the end from the expected one as a share of the median."
)
Limit = Callable[[Sample], float]
"""Returns the limit of a run in seconds."""


def student(sample: Sample) -> float:
    """Return the upper 99.5 % limit of a prediction from all runs, and 1.3 times the longest of 20."""
    return _at_least_longest(sample, _predicted(sample, value_with(0.005, len(sample.seconds) - 1)))


def normal(sample: Sample) -> float:
    """Return the same as if the spread of the runs were known exactly."""
    return _at_least_longest(sample, _predicted(sample, NormalDist().inv_cdf(0.995)))


def robust(sample: Sample) -> float:
    """Return the limit from the median and the deviations from it, and 1.3 times the longest of 20."""
    return _at_least_longest(sample, robust_limit(sample.seconds))


def _at_least_longest(sample: Sample, seconds: float) -> float:
    return max(seconds, 1.3 * max(sample.seconds[-20:]))


def _predicted(sample: Sample, reach: float) -> float:
    mean, spread = logarithms(sample.seconds)
    return exp(mean + reach * spread * sqrt(1 + 1 / len(sample.seconds)))


LIMITS: Final[Mapping[str, Limit]] = {"watcher": limit_seconds, "student": student, "normal": normal, "robust": robust}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, by the name of the limit."""

    name: str
    unit: str
    values: Mapping[str, float]
    bar: float | None = None
    side: Bar = Bar.AT_MOST

    @property
    def figure(self) -> Figure:
        """The figure of the watcher."""
        value = self.values["watcher"]
        return Figure(id="D", name=self.name, value=value, unit=self.unit, bar=self.bar, side=self.side)


def samples(draw: Draw, random: Random, runs: int = RUNS) -> Iterator[tuple[Sample, float]]:
    """Yield each run of a service from the sixth on, after the sample of the runs before it."""
    seconds: list[float] = []
    start = 0
    for number in range(runs):
        start = next_level_start(seconds, start, number)
        value = draw(random, number)
        if number - start >= FEWEST_RUNS:
            yield Sample(seconds=tuple(seconds[start:][-MOST_RUNS:])), value
        seconds.append(value)


def false_alarms(draw: Draw, limits: Mapping[str, Limit], services: int) -> dict[str, float]:
    """Return the share of good runs beyond each limit, in per cent."""
    random = Random(SEED)  # noqa: S311 - a simulation
    alarms = dict.fromkeys(limits, 0)
    tried = 0
    for _service in range(services):
        for sample, value in samples(draw, random):
            tried += 1
            for name, limit in limits.items():
                alarms[name] += value > limit(sample)
    return {name: 100 * count / tried for name, count in alarms.items()}


def alarms_after_doubling(variation: float, limits: Mapping[str, Limit], services: int) -> dict[str, float]:
    """Return the alarms of the next 30 good runs, that 99 of 100 services do not exceed."""
    random = Random(SEED)  # noqa: S311 - a simulation
    draw = doubling(variation, BEFORE_CHANGE)
    counts: dict[str, list[int]] = {name: [] for name in limits}
    for _service in range(services):
        tried = list(samples(draw, random, BEFORE_CHANGE + AFTER_CHANGE))[-AFTER_CHANGE:]
        for name, limit in limits.items():
            counts[name].append(sum(value > limit(sample) for sample, value in tried))
    return {name: percentile(values, 99) for name, values in counts.items()}


def hang(draw: Draw, runs: int, limits: Mapping[str, Limit], services: int, outlier: float = 1) -> dict[str, float]:
    """Return the multiple of the median duration at which a hang is reported, for the median service."""
    random = Random(SEED)  # noqa: S311 - a simulation
    lives = [[draw(random, number) for number in range(runs)] for _service in range(services)]
    usual = median(value for life in lives for value in life)
    for life in lives:
        life[runs // 2] *= outlier
    return {
        name: median(limit(Sample(seconds=tuple(life))) for life in lives) / usual for name, limit in limits.items()
    }


@dataclass(frozen=True, slots=True)
class EndError:
    """How well the expected end fits, for the runs that have not ended by then."""

    within_percent: float
    """The share of runs that ended within the middle 80 %."""
    percent_of_median: float
    """The mean distance of the end from the expected one, as a share of the median duration."""


def end_error(draw: Draw, runs: int, elapsed: float, services: int) -> EndError:
    """Return the error of the expected end after a part of the median duration."""
    random = Random(SEED)  # noqa: S311 - a simulation
    spent = timedelta(seconds=elapsed)
    within, distances = [], []
    for _service in range(services):
        sample = Sample(seconds=tuple(draw(random, number) for number in range(runs)))
        value = draw(random, runs)
        if value > elapsed:
            prediction = prediction_of(sample)
            low, middle, high = (prediction.duration_by(share, spent).total_seconds() for share in (0.1, 0.5, 0.9))
            within.append(low <= value <= high)
            distances.append(abs(value - middle))
    return EndError(100 * fmean(within), 100 * fmean(distances))


def limit_rows(limits: Mapping[str, Limit], services: int) -> Iterator[Row]:
    """Yield the figures of the limits."""
    for population in POPULATIONS:
        values = false_alarms(population.draw, limits, services)
        yield Row(f"false alarms: {population.name}", "%", values, 1 if population.has_bar else None)
    for variation in (0.1, 0.3, 0.5, 1.0):
        alarms = alarms_after_doubling(variation, limits, services)
        yield Row(f"alarms after a doubling, variation {variation}", "", alarms, 5)
    for runs, bar in ((5, 3.6), (10, None), (30, 2.2), (50, None)):
        reported = hang(log_normal(0.3), runs, limits, services * HANGS)
        yield Row(f"hang reported, {runs} runs", "medians", reported, bar)
    outlier = hang(log_normal(0.3), 30, limits, services * HANGS, OUTLIER)
    yield Row(f"the same, 30 runs with one of {OUTLIER} times", "medians", outlier)


def end_table(services: int) -> str:
    """Return the errors of the expected end as a Markdown table."""
    head = f"| runs in the population | {' | '.join(f'{part:.0%}' for part in ELAPSED)} |\n|---|{'---|' * len(ELAPSED)}"
    lines = (
        f"| {runs} of {name} | {' | '.join(_error_cell(draw, runs, part, services) for part in ELAPSED)} |"
        for name, draw in END_POPULATIONS.items()
        for runs in (5, 30)
    )
    return "\n".join([head, *lines])


def _error_cell(draw: Draw, runs: int, elapsed: float, services: int) -> str:
    error = end_error(draw, runs, elapsed, services * HANGS)
    return f"{error.within_percent:.0f} %, {error.percent_of_median:.0f} %"


def duration_figures(services: int) -> list[Figure]:
    """Return the figures of the watcher's own limit."""
    return [row.figure for row in limit_rows({"watcher": limit_seconds}, services)]


def table(rows: Sequence[Row]) -> str:
    """Return the figures of all limits as a Markdown table."""
    head = f"| figure | bar | {' | '.join(LIMITS)} |\n|---|---|{'---|' * len(LIMITS)}"
    return "\n".join([head, *map(_line, rows)])


def _line(row: Row) -> str:
    bar = "" if row.bar is None else f"{row.side.value} {row.bar:g}"
    cells = (f"{row.values[name]:.2f}" if name in row.values else "" for name in LIMITS)
    return f"| {row.name} ({row.unit}) | {bar} | {' | '.join(cells)} |".replace(" ()", "")


def main() -> None:
    """Print the table of all limits, and of the expected end."""
    parser = argparse.ArgumentParser(prog="python -m bench.durations", description=__doc__)
    parser.add_argument("--services", type=int, default=SERVICES, help=f"invented services; {SERVICES} without it")
    services: int = parser.parse_args().services
    print(table(list(limit_rows(LIMITS, services))))  # noqa: T201 - the output
    print(f"\n{END_TITLE}\n\n{end_table(services)}")  # noqa: T201 - the output


if __name__ == "__main__":
    main()
