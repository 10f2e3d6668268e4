"""The small drawings of the pages as numbers: time bars and strips of results; positions are shares of the width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.durations.past_runs import Outcome
from watcher.reports.runs.progress import Progress
from watcher.store.runs.latest import RunResult

STRIP: Final = 10
STEP: Final = 6
"""The width of a result of a strip, in pixels."""
LEARNING: Final = "learning"
STEPS: Final = ("requesting", "waiting", LEARNING)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stage of a run on its bar."""

    css: str
    left: str
    width: str


@dataclass(frozen=True, slots=True)
class TimeBar:
    """The time that a run in progress has taken, beside the usual end."""

    segments: Sequence[Segment]
    now: str
    band: tuple[str, str] | None
    """The left edge and the width of the usual end; ``None`` where it is not known."""
    late: bool
    """Whether the run lasts longer than the usual end."""
    unpolled: str | None = None
    """The end of what is known; ``None`` where the training can be polled."""


@dataclass(frozen=True, slots=True)
class UsualEnd:
    """The usual end of a run that cannot be polled."""

    low: datetime
    high: datetime
    may_have_ended: bool
    was_over: bool
    """Whether it had passed when the run was seen last."""


def usual_end(progress: Progress, last_seen: datetime, now: datetime) -> UsualEnd | None:
    """Return the usual end of a run that was seen last at a time before now; ``None`` where it is not known."""
    start, usual = progress.run.start, progress.usual
    if start is None or usual is None:
        return None
    low, high = (max(start.bounds.middle + length, last_seen) for length in (usual.low, usual.high))
    return UsualEnd(low=low, high=high, may_have_ended=low <= now, was_over=high <= last_seen)


def time_bar(progress: Progress, now: datetime, last_seen: datetime | None = None) -> TimeBar | None:
    """Return the bar of a run in progress; ``None`` where its start is not known.

    Args:
        progress: the run.
        now: the present, UTC.
        last_seen: the last answer about a training that cannot be polled now; ``None`` where it can.
    """
    start = progress.run.start
    if start is None:
        return None
    begun = start.bounds.middle
    elapsed = max(now - begun, timedelta(seconds=1))
    usual = progress.usual
    whole = max(elapsed * 1.06, elapsed * 1.6 if usual is None else usual.high * 1.2)
    return TimeBar(
        segments=list(_segments(progress, begun, now if last_seen is None else max(last_seen, begun), whole)),
        now=_percent(elapsed / whole),
        band=None if usual is None else (_percent(usual.low / whole), _percent((usual.high - usual.low) / whole)),
        late=usual is not None and (last_seen or now) - begun > usual.high,
        unpolled=None if last_seen is None else _percent((last_seen - begun) / whole),
    )


def strip_paths(results: Sequence[RunResult], *, in_progress: bool) -> dict[str, str]:
    """Return the path of each class of a strip of results, the newest right: completed, failed, none, in progress."""
    marks = ["o" if item.outcome is Outcome.COMPLETED else "x" for item in results]
    marks = [*marks, *(["p"] if in_progress else [])][-STRIP:]
    paths: dict[str, str] = {}
    for place, mark in enumerate(["e"] * (STRIP - len(marks)) + marks):
        x = 3 + STEP * place
        # A failure is taller, so that its shape tells as well as its colour.
        drawn = {"o": f"M{x} 16v-7", "x": f"M{x} 16v-15", "e": f"M{x - 2} 15.5h4", "p": f"M{x - 1.5} 15.5v-6.5h3v6.5z"}
        paths[mark] = paths.get(mark, "") + drawn[mark]
    return paths


def step_of(status: str) -> int:
    """Return the number of a stage from 1 to 3; 0 for another status."""
    return STEPS.index(status) + 1 if status in STEPS else 0


def _segments(progress: Progress, begun: datetime, now: datetime, whole: timedelta) -> Iterator[Segment]:
    stages = [(stage.status, begun if stage.entered is None else stage.entered.middle) for stage in progress.run.stages]
    ends = [*(entered for _, entered in stages[1:]), now]
    for (status, entered), end in zip(stages, ends, strict=True):
        left = max((entered - begun) / whole, 0.0)
        width = max((end - entered) / whole, 0.004)
        yield Segment("learn" if status == LEARNING else "wait", _percent(left), _percent(width))


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"
