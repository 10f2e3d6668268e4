"""The durations of a service over time: a panel a type, with the usual band and a sign for each outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from watcher.core.duration import format_duration
from watcher.core.durations.past_runs import Outcome, PastRun, sample_of
from watcher.core.durations.usual_durations import UsualDurations, usual_durations
from watcher.core.training.comparison import UsualFacts
from watcher.drawing import svg
from watcher.drawing.axis import TIME_MARKS, DurationAxis, TimeAxis
from watcher.drawing.captions import Captions, english
from watcher.drawing.palette import BAND, FAINT, GRID, INK, MEDIAN, OUTCOMES

LEFT = 70
NARROW_LEFT = 50
HALF_LABEL = 32
"""Half of the width of a day below the axis."""
RIGHT = 20
PANEL = 190
PLOT = 130
"""The height of the plot within a panel."""
BOTTOM = 10
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
STEPS = 100
"""The band is computed at so many times of a panel."""
WIDE = 880
NARROW = 300
"""The width for a phone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The runs of one type, in the order of their ends."""

    type: str
    runs: Sequence[PastRun]
    unknown: int
    """Further runs whose start is not known, so that they have no duration."""
    learned: Sequence[PastRun] | None = None
    """The runs of the band, those before the period first; ``None`` for those that are drawn."""
    before: int = 0
    """The number of them before the period."""
    usual: UsualFacts | None = None
    """The present usual durations; ``None`` where too few runs are known."""


@dataclass(frozen=True, slots=True)
class _Usual:
    at: datetime
    usual: UsualDurations


def draw_durations(  # noqa: PLR0913, PLR0917 - the parts of one picture
    title: str,
    panels: Sequence[Panel],
    first: datetime,
    last: datetime,
    zone: tzinfo | None,
    width: int = WIDE,
    captions: Captions = english,
    *,
    headed: bool = True,
) -> str:
    """Return the picture of the durations of a service between two times, UTC; axes are in the zone.

    Without ``headed``, the title is for screen readers alone, and a panel does not name its type: the page does.
    """
    times = TimeAxis(
        first, last, LEFT if width == WIDE else NARROW_LEFT, width - RIGHT, zone, parts=min(width // 75, TIME_MARKS)
    )
    heading = svg.wrapped(20, 28, title, width - 40, font_size=16 if width == WIDE else 12, fill=INK) if headed else []
    top = (33.0 if headed else 14.0) + svg.LINE * len(heading)
    legend = svg.wrapped(20, top, captions("plot-legend"), width - 40, fill=FAINT)
    top += svg.LINE * len(legend) + 1
    parts = [*heading, *legend]
    for panel in panels:
        drawn, top = _panel(panel, times, top, width, captions, headed=headed)
        parts += drawn
    return svg.document(width, top + BOTTOM, title, parts)


def _panel(  # noqa: PLR0913 - the parts of one panel
    panel: Panel, times: TimeAxis, top: float, width: int, captions: Captions, *, headed: bool
) -> tuple[list[str], float]:
    """Return the parts of a panel, and its bottom."""
    usual = list(_usual_over_time(panel.runs if panel.learned is None else panel.learned, panel.before))
    left = LEFT if headed and width == WIDE else 20
    summary = _summary(panel, captions)
    heading = svg.wrapped(
        left, top + 14, f"{panel.type}: {summary}" if headed else summary, width - left - 20, fill=INK
    )
    top += svg.LINE * (len(heading) - 1)
    longest = max((run.duration for run in panel.runs), default=timedelta())
    bottom = top + 24 + PLOT
    axis = DurationAxis(max(longest, SECOND), bottom, top + 24)
    bands = _band(usual, times, axis)
    return [*heading, *_grid(axis, times, bottom), *bands, *_signs(panel.runs, times, axis)], top + PANEL


def _summary(panel: Panel, captions: Captions) -> str:
    failed = sum(run.outcome is Outcome.FAILED for run in panel.runs)
    parts = [captions("plot-runs", n=len(panel.runs) + panel.unknown), captions("plot-failed", n=failed)]
    if (usual := panel.usual) is not None:
        key = "plot-usual-account" if usual.whole_account else "plot-usual"
        parts.append(captions(key, low=_rough(usual.low), high=_rough(usual.high), n=usual.runs))
    if panel.unknown:
        parts.append(captions("plot-unknown", n=panel.unknown))
    return ", ".join(parts)


def _rough(length: timedelta) -> str:
    unit = MINUTE if length >= 10 * MINUTE else SECOND
    return format_duration((length + unit / 2) // unit * unit)


def _grid(axis: DurationAxis, times: TimeAxis, bottom: float) -> Iterator[str]:
    for mark in axis.marks():
        yield svg.line(times.start, mark.at, times.end, mark.at, stroke=GRID)
        yield svg.label(times.start - 6, mark.at + 4, mark.text, fill=FAINT, text_anchor="end")
    for mark in times.marks():
        yield svg.line(mark.at, bottom, mark.at, bottom + 4, stroke=FAINT)
        x = min(mark.at, times.end + RIGHT - HALF_LABEL)
        yield svg.label(x, bottom + 17, mark.text, fill=FAINT, text_anchor="middle", font_size=11)


def _usual_over_time(runs: Sequence[PastRun], before: int) -> Iterator[_Usual]:
    """Yield what was usual at some times of the period, from the runs that had ended by then."""
    step = max((len(runs) - before) // STEPS, 1)
    for end in range(before + step, len(runs) + step, step):
        known = runs[max(min(end, len(runs)) - 150, 0) : min(end, len(runs))]
        at = known[-1].ended_at
        sample = sample_of(known, at)
        if sample is not None:
            yield _Usual(at, usual_durations(sample))


def _band(usual: Sequence[_Usual], times: TimeAxis, axis: DurationAxis) -> Iterator[str]:
    if len(usual) < 2:  # noqa: PLR2004 - a line needs two points
        return
    upper = [_point(times.at(item.at), axis.at(item.usual.high)) for item in usual]
    lower = [_point(times.at(item.at), axis.at(item.usual.low)) for item in reversed(usual)]
    median = [_point(times.at(item.at), axis.at(item.usual.median)) for item in usual]
    yield svg.path(f"M{'L'.join([*upper, *lower])}Z", fill=BAND)
    yield svg.path(f"M{'L'.join(median)}", stroke=MEDIAN, stroke_width=1.5)


def _signs(runs: Sequence[PastRun], times: TimeAxis, axis: DurationAxis) -> Iterator[str]:
    """Yield one path an outcome: thousands of runs make a small file."""
    for outcome, colour in OUTCOMES.items():
        points = [(times.at(run.ended_at), axis.at(run.duration)) for run in runs if run.outcome is outcome]
        if points:
            yield _sign(outcome, points, colour)


def _sign(outcome: Outcome, points: Sequence[tuple[float, float]], colour: str) -> str:
    match outcome:
        case Outcome.COMPLETED:
            dots = "".join(f"M{_point(x, y)}h0" for x, y in points)
            return svg.path(dots, stroke=colour, stroke_width=4, stroke_linecap="round", stroke_opacity="0.6")
        case Outcome.FAILED:
            crosses = "".join(f"M{_point(x - 4, y - 4)}l8 8m0-8l-8 8" for x, y in points)
            return svg.path(crosses, stroke=colour, stroke_width=2)
        case Outcome.STOPPED:
            circles = "".join(f"M{_point(x - 3, y)}a3 3 0 1 0 6 0a3 3 0 1 0-6 0" for x, y in points)
            return svg.path(circles, stroke=colour, stroke_width=1.5)


def _point(x: float, y: float) -> str:
    return f"{svg.number(x)} {svg.number(y)}"
