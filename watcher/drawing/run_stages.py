"""The runs of one training: a row a run, a bar a stage, with the bounds of each change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.core.duration import format_duration
from watcher.core.durations.current_run import Bounds, CurrentRun
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.run import EndedRun
from watcher.drawing import svg
from watcher.drawing.axis import DurationAxis
from watcher.drawing.captions import Captions, english
from watcher.drawing.palette import FAINT, GRID, INK, OTHER_STAGE, OUTCOMES, STAGES

TOP = 70
BAR = 22
BOTTOM = 40
SECOND = timedelta(seconds=1)
CHARACTER = 7
"""The width of a character of the legend, rounded up."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The measures of a picture."""

    width: float
    left: float
    """The space to the left of the bars."""
    right: float
    """The space to the right of them, for the duration of a run."""
    row: float
    bars: float
    """The top of the bars within a row."""
    marks: int


WIDE = Frame(width=880, left=175, right=110, row=54, bars=0, marks=6)
NARROW = Frame(width=300, left=20, right=75, row=76, bars=24, marks=3)
"""For a phone: the title of a row is above its bars."""


@dataclass(frozen=True, slots=True)
class StageBar:
    """A stage in a run: its entry and its end; one without an entry begins the row."""

    status: str
    entered: Bounds | None
    left: Bounds


@dataclass(frozen=True, slots=True)
class RunBars:
    """A run as a row."""

    title: str
    note: str
    """Below the title, e.g. when it ended."""
    stages: Sequence[StageBar]
    first_seen_at: datetime
    """The first answer with the training, which begins the row where no poll saw its first stage begin."""
    outcome: Outcome | None = None
    """``None`` for a run in progress."""

    @property
    def start(self) -> datetime:
        """The left end of the row."""
        entered = self.stages[0].entered
        return self.first_seen_at if entered is None else entered.middle

    @property
    def length(self) -> timedelta:
        """The time that the row covers."""
        return max(self.stages[-1].left.before - self.start, timedelta())

    def took(self, captions: Captions) -> str:
        """Return its duration, the least one where no poll saw it begin."""
        text = format_duration(timedelta(seconds=round((self.stages[-1].left.middle - self.start).total_seconds())))
        return captions("plot-at-least", duration=text) if self.stages[0].entered is None else text


def bars_of(run: EndedRun, note: str, first_seen_at: datetime) -> RunBars | None:
    """Return a run that has ended as a row; ``None`` without stages."""
    stages = [StageBar(stage.status, stage.entered, stage.left) for stage in run.stages]
    return RunBars(run.status, note, stages, first_seen_at, run.outcome) if stages else None


def bars_in_progress(run: CurrentRun, now: datetime, first_seen_at: datetime, captions: Captions = english) -> RunBars:
    """Return a run in progress as a row; its last stage is left at the present time."""
    present = Bounds(after=now, before=now)
    following = [stage.entered or present for stage in run.stages[1:]]
    stages = [
        StageBar(stage.status, stage.entered, left)
        for stage, left in zip(run.stages, [*following, present], strict=True)
    ]
    title = captions("plot-stopping" if run.is_stopping else "plot-in-progress")
    return RunBars(title, "", stages, first_seen_at)


def draw_runs(title: str, rows: Sequence[RunBars], frame: Frame = WIDE, captions: Captions = english) -> str:
    """Return the picture of the runs of a training, the first row on top."""
    heading = svg.wrapped(20, 28, title, frame.width - 40, font_size=16 if frame is WIDE else 12, fill=INK)
    signs, legend = 40 + svg.LINE * (len(heading) - 1), list(_legend(rows, frame))
    top = signs + TOP - 40 + 18 * max((line for line, _, _ in legend), default=0)
    height = top + frame.row * len(rows) + BOTTOM
    longest = max((row.length for row in rows), default=SECOND)
    axis = DurationAxis(max(longest, SECOND), frame.left, frame.width - frame.right, frame.marks)
    drawn = [text for line, x, status in legend for text in _sign(x, signs + 18 * line, status)]
    parts = [*heading, *drawn, *_grid(axis, top, height)]
    for place, row in enumerate(rows):
        parts += _row(row, axis, top + frame.row * place, frame, captions)
    return svg.document(frame.width, height, title, parts)


def _legend(rows: Sequence[RunBars], frame: Frame) -> Iterator[tuple[int, float, str]]:
    """Yield the line and the coordinate of each status."""
    line, x = 0, frame.left
    for status in dict.fromkeys(stage.status for row in rows for stage in row.stages):
        width = 40 + CHARACTER * min(len(status), 20)
        if x > frame.left and x + width > frame.width:
            line, x = line + 1, frame.left
        yield line, x, status
        x += width


def _sign(x: float, y: float, status: str) -> Iterator[str]:
    yield svg.rectangle(x, y, 12, 12, fill=_colour(status))
    yield svg.label(x + 17, y + 10, status, fill=INK)


def _grid(axis: DurationAxis, top: float, height: float) -> Iterator[str]:
    bottom = height - BOTTOM
    for mark in axis.marks():
        yield svg.line(mark.at, top - 8, mark.at, bottom, stroke=GRID)
        yield svg.label(mark.at, bottom + 18, mark.text, fill=FAINT, text_anchor="middle")


def _row(row: RunBars, axis: DurationAxis, top: float, frame: Frame, captions: Captions) -> Iterator[str]:
    yield svg.label(20, top + 14, row.title, fill=INK if row.outcome is None else OUTCOMES[row.outcome])
    if frame.bars:
        yield svg.label(frame.width - 20, top + 14, row.note, fill=FAINT, font_size=11, text_anchor="end")
    else:
        yield svg.label(20, top + 30, row.note, fill=FAINT, font_size=11)
    top += frame.bars
    for stage in row.stages:
        yield from _bar(stage, row.start, axis, top)
    end = axis.at(row.length)
    yield svg.label(end + 8, top + BAR / 2 + 5, row.took(captions), fill=INK)


def _bar(stage: StageBar, start: datetime, axis: DurationAxis, top: float) -> Iterator[str]:
    entered = start if stage.entered is None else stage.entered.middle
    left, right = axis.at(entered - start), axis.at(stage.left.middle - start)
    unknown = {"stroke_dasharray": "3 2", "stroke": INK} if stage.entered is None else {}
    yield svg.rectangle(left, top, right - left, BAR, fill=_colour(stage.status), **unknown)
    if stage.left.half_width:
        first, last = axis.at(stage.left.after - start), axis.at(stage.left.before - start)
        yield _bounds(first, last, top + BAR + 6)


def _bounds(first: float, last: float, y: float) -> str:
    """Return the bounds of a change below its bars: a line between two ends."""
    a, b, high, low = (svg.number(value) for value in (first, last, y - 3, y + 3))
    middle = svg.number(y)
    return svg.path(f"M{a} {high}V{low}M{a} {middle}H{b}M{b} {high}V{low}", stroke=INK)


def _colour(status: str) -> str:
    return STAGES.get(status, OTHER_STAGE)
