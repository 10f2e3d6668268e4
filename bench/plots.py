"""``python -m bench.plots``: draw the cost of a unit by size into ``docs/performance.svg``; a quarter of an hour."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Final

from bench.latency import idle_figures
from bench.polling import INTERVAL_SECONDS, lists
from bench.waiting import SIZES, cost_ms, quiet_logs

TRAININGS: Final = (100, 1_000, 10_000, 50_000, 100_000)
SWEEPS: Final = 3
WIDTH: Final = 880
HEIGHT: Final = 200
LEFT: Final = 80
RIGHT: Final = 30
TOP: Final = 50
BOTTOM: Final = 40


@dataclass(frozen=True, slots=True)
class Curve:
    """A cost by size."""

    title: str
    unit: str
    axis: str
    points: Sequence[tuple[int, float]]
    """Sizes of at least 1, the smallest first, each with its cost."""


def main() -> None:
    """Measure both curves and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/performance.svg"))
    file: Path = parser.parse_args().file
    curves = [waiting_curve(), list_curve()]
    file.write_text(picture(curves))
    for curve in curves:
        print(f"{curve.title} ({curve.unit})")  # noqa: T201 - the output
        for size, cost in curve.points:
            print(f"{size:>9,} {cost:.3g}")  # noqa: T201 - the output


def list_curve() -> Curve:
    """Measure sweeps over lists; the cost of a daemon that has nothing to do is subtracted."""
    idle_percent = idle_figures(INTERVAL_SECONDS)[0].value
    points = []
    for size in TRAININGS:
        measured = lists(size, SWEEPS)
        seconds = (measured.core_percent - idle_percent) / 100 * INTERVAL_SECONDS
        points.append((size, 1e6 * max(0.0, seconds) / size))
    return Curve("A sweep over lists, 1 % of which changed", "CPU µs a training", "trainings", points)


def waiting_curve() -> Curve:
    """Measure one delivery while others wait."""
    quiet_logs()
    points = [(size, cost_ms(size)) for size in SIZES]
    return Curve("A delivery without a network", "CPU ms a delivery", "deliveries that wait", points)


def picture(curves: Sequence[Curve]) -> str:
    """Return the curves as an SVG, one below the other."""
    height = len(curves) * (TOP + HEIGHT + BOTTOM)
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}'"
    body = [line for number, curve in enumerate(curves) for line in _panel(curve, number * (TOP + HEIGHT + BOTTOM))]
    style = "font-family='sans-serif' font-size='12' fill='#333'"
    return "\n".join([f"{head} {style}>", f"<rect width='{WIDTH}' height='{height}' fill='white'/>", *body, "</svg>\n"])


def _panel(curve: Curve, top: int) -> Iterator[str]:
    highest = 1.2 * max(cost for _size, cost in curve.points)
    first, last = (log10(curve.points[end][0]) for end in (0, -1))
    base = top + TOP + HEIGHT
    places = [
        (LEFT + (log10(size) - first) / (last - first) * (WIDTH - LEFT - RIGHT), base - cost / highest * HEIGHT)
        for size, cost in curve.points
    ]
    yield f"<text x='{LEFT}' y='{top + 20}' font-size='15'>{curve.title}</text>"
    yield f"<text x='{LEFT}' y='{top + 40}'>{curve.unit}, by {curve.axis}</text>"
    yield f"<path d='M{LEFT} {top + TOP}V{base}H{WIDTH - RIGHT}' fill='none' stroke='#999'/>"
    yield f"<text x='{LEFT - 8}' y='{base}' text-anchor='end'>0</text>"
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f"<polyline points='{line}' fill='none' stroke='#2266aa' stroke-width='2'/>"
    for (size, cost), (x, y) in zip(curve.points, places, strict=True):
        yield f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='#2266aa'/>"
        yield f"<text x='{x:.1f}' y='{y - 8:.1f}' text-anchor='middle'>{cost:.3g}</text>"
        yield f"<text x='{x:.1f}' y='{base + 18}' text-anchor='middle'>{size:,}</text>"


if __name__ == "__main__":
    main()
