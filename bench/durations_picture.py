"""``python -m bench.durations_picture``: draw the runs of an invented service with its limits into ``docs/``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from bench.invented_runs import log_normal
from watcher.core.durations.past_runs import FEWEST_RUNS, MOST_RUNS, Sample, next_level_start
from watcher.core.durations.stuck_limit import learned_limit
from watcher.core.durations.usual_durations import UsualDurations, usual_durations

RUNS: Final = 90
MINUTES: Final = 50
DOUBLES_AT: Final = 55
HANGS_AT: Final = 30
HANG: Final = 4.5
SEED: Final = 5
WIDTH: Final = 880
HEIGHT: Final = 300
LEFT: Final = 60
TOP: Final = 50
MOST_MINUTES: Final = 300
"""The upper end of the axis."""


@dataclass(frozen=True, slots=True)
class Known:
    """A run with everything that was known before it."""

    number: int
    minutes: float
    usual: UsualDurations | None = None
    limit_minutes: float = MOST_MINUTES

    @property
    def is_reported(self) -> bool:
        """Whether it ran beyond the limit."""
        return self.usual is not None and self.minutes > self.limit_minutes


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.durations_picture", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/durations.svg"))
    file: Path = parser.parse_args().file
    file.write_text(picture(list(life())))


def life() -> Iterator[Known]:
    """Yield the runs of a service: one hangs and completes, and later all take twice the time."""
    random = Random(SEED)  # noqa: S311 - an invented service
    draw = log_normal(0.15)
    seconds: list[float] = []
    start = 0
    for number in range(RUNS):
        factor = HANG if number == HANGS_AT else 2 if number >= DOUBLES_AT else 1
        start = next_level_start(seconds, start, number)
        minutes = MINUTES * factor * draw(random, number)
        yield _known(number, minutes, seconds[start:][-MOST_RUNS:])
        seconds.append(60 * minutes)


def _known(number: int, minutes: float, seconds: Sequence[float]) -> Known:
    if len(seconds) < FEWEST_RUNS:
        return Known(number, minutes)
    sample = Sample(seconds=tuple(seconds))
    return Known(number, minutes, usual_durations(sample), learned_limit(sample).first.total_seconds() / 60)


def picture(runs: Sequence[Known]) -> str:
    """Return the runs as an SVG."""
    known = [(run, run.usual) for run in runs if run.usual is not None]
    highs = [(run.number, usual.high.total_seconds() / 60) for run, usual in known]
    lows = [(run.number, usual.low.total_seconds() / 60) for run, usual in known]
    limits = [(run.number, run.limit_minutes) for run, _usual in known]
    lines = [
        f"<polygon points='{_points([*highs, *reversed(lows)])}' fill='#cfe0f3'/>",
        f"<polyline points='{_points(limits)}' fill='none' stroke='#b03030' stroke-width='2'/>",
        *(_dot(run) for run in runs),
    ]
    height = TOP + HEIGHT + 40
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}'"
    style = "font-family='sans-serif' font-size='12' fill='#333'"
    paper = f"<rect width='{WIDTH}' height='{height}' fill='white'/>"
    return "\n".join([f"{head} {style}>", paper, *_axes(), *lines, "</svg>\n"])


def _axes() -> Iterator[str]:
    title = "Runs of an invented service (dots), the usual 80 % (band) and the limit of stuck (line)"
    yield f"<text x='{LEFT}' y='25' font-size='15'>{title}</text>"
    for minutes in range(0, MOST_MINUTES + 1, 50):
        y = _y(minutes)
        yield f"<path d='M{LEFT} {y:.0f}H{WIDTH - 20}' stroke='#ddd'/>"
        yield f"<text x='{LEFT - 8}' y='{y + 4:.0f}' text-anchor='end'>{minutes}</text>"
    yield f"<text x='{LEFT}' y='{TOP - 8}'>minutes</text>"
    for number in range(10, RUNS + 1, 10):
        yield f"<text x='{_x(number - 1):.0f}' y='{TOP + HEIGHT + 20}' text-anchor='middle'>{number}</text>"
    yield f"<text x='{WIDTH - 20}' y='{TOP + HEIGHT + 36}' text-anchor='end'>run</text>"


def _dot(run: Known) -> str:
    color = "#b03030" if run.is_reported else "#2266aa"
    return f"<circle cx='{_x(run.number):.1f}' cy='{_y(run.minutes):.1f}' r='3' fill='{color}'/>"


def _points(places: Sequence[tuple[int, float]]) -> str:
    return " ".join(f"{_x(number):.1f},{_y(minutes):.1f}" for number, minutes in places)


def _x(number: int) -> float:
    return LEFT + 10 + number * (WIDTH - LEFT - 40) / (RUNS - 1)


def _y(minutes: float) -> float:
    return TOP + HEIGHT * (1 - min(minutes, MOST_MINUTES) / MOST_MINUTES)


if __name__ == "__main__":
    main()
