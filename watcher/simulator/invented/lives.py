"""Random lives of trainings: their stages last as long as a distribution says, and some hang or fail.

Pure: the caller draws the random numbers and seeds them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.core.training.model import Status
from watcher.simulator.invented.draws import Draw, LogNormal, require_share
from watcher.simulator.world import Life, Step

_STAGES: Final = (Status.REQUESTING, Status.WAITING, Status.LEARNING)
_FAILURES: Final = ((0.48, Status.LEARNING_FAILED), (0.80, Status.REFINED_FAILED), (1.00, Status.REQUEST_FAILED))
"""The ends of failed trainings with cumulative probabilities."""
_STAGES_BEFORE: Final = {Status.REQUEST_FAILED: 1, Status.REFINED_FAILED: 2}
"""The number of stages before an end; all others come after all stages."""


USUAL_REQUESTING: Final = LogNormal(20.0)
USUAL_WAITING: Final = LogNormal(60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The distributions from which random lives are drawn."""

    learning: LogNormal
    requesting: LogNormal = USUAL_REQUESTING
    waiting: LogNormal = USUAL_WAITING
    failures: float = 0.0
    """The share of trainings that fail."""
    hangs: float = 0.0
    """The share of trainings of which one stage hangs."""
    hang_seconds: float = math.inf
    """The time that a hanging stage lasts longer; infinity means that it does not end."""
    result: LogNormal | None = None
    """The time from ``completed`` to the result; ``None`` means that both come at once."""
    without_result: float = 0.0
    """The share of completed trainings that never get a result."""

    def __post_init__(self) -> None:
        require_share("failures", self.failures)
        require_share("hangs", self.hangs)
        require_share("without_result", self.without_result)


def same_pace(pace_seconds: float, *, variation: float = 0.3, failures: float = 0.25, hangs: float = 0.0) -> Course:
    """Return a course whose three stages have the same median; a quarter of the trainings fails."""
    stage = LogNormal(pace_seconds, variation)
    return Course(requesting=stage, waiting=stage, learning=stage, failures=failures, hangs=hangs, without_result=0.05)


def random_life(draw: Draw, begins_seconds: float, course: Course, factor: float = 1.0) -> Life:
    """Return the steps of one training, from its request to its end.

    Args:
        draw: the source of random numbers. Each life takes eight, so that another share of failures or hangs leaves
            the durations as they are.
        begins_seconds: the time of the request.
        course: the distributions.
        factor: multiplies the duration of ``learning``.
    """
    end = _end(draw(), draw(), course)
    durations = [stage.seconds(draw) for stage in (course.requesting, course.waiting, course.learning)]
    durations[-1] *= factor
    durations = durations[: _STAGES_BEFORE.get(end, len(_STAGES))]
    hangs, place = draw() < course.hangs, draw()
    if hangs:
        durations[int(place * len(durations))] += course.hang_seconds
    return Life((*_stages(begins_seconds, durations), *_last_steps(begins_seconds + sum(durations), end, draw, course)))


def _end(number: float, failure: float, course: Course) -> Status:
    if number >= course.failures:
        return Status.COMPLETED
    return next(status for below, status in _FAILURES if failure < below)


def _stages(begins_seconds: float, durations: Sequence[float]) -> Iterator[Step]:
    """Yield the steps before the end; a stage after one without an end does not begin."""
    seconds = begins_seconds
    for status, duration in zip(_STAGES, durations, strict=False):
        if math.isfinite(seconds):
            yield Step(seconds, status)
        seconds += duration


def _last_steps(seconds: float, end: Status, draw: Draw, course: Course) -> Iterator[Step]:
    """Yield the end, and the result where it comes later."""
    without_result, number = draw() < course.without_result, draw()
    if not math.isfinite(seconds):
        return
    is_at_once = course.result is None and not without_result
    if end is not Status.COMPLETED or is_at_once:
        yield Step(seconds, end)
        return
    yield Step(seconds, end, inference=False)
    if course.result is not None and not without_result:
        yield Step(seconds + course.result.seconds(lambda: number), end)
