"""The table of transitions between the statuses of a training, and the stages that a transition skips.

AiTEMS documents nine statuses but no state machine. The order is our interpretation, and no transition is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.training.model import Phase, Status, is_final, phase_of


class Transition(StrEnum):
    """The kind of change from the recorded status to the one in an answer."""

    SAME = "="
    FORWARD = ">"
    END = "!"
    BACK = "<"
    RESTART = "R"
    UNKNOWN = "?"
    """Into an undocumented status."""
    END_TO_UNKNOWN = "&"
    """Out of an end into an undocumented status."""


OTHER: Final = "other"
"""The table's name for every undocumented status."""

STAGES: Final = (*(status.value for status in Status), OTHER)

_GRID: Final = """
                 ready requesting waiting learning stopping completed requestFailed refinedFailed learningFailed other
ready              =       >         >       >        >         !           !             !             !          ?
requesting         <       =         >       >        >         !           !             !             !          ?
waiting            <       <         =       >        >         !           !             !             !          ?
learning           <       <         <       =        >         !           !             !             !          ?
stopping           >       <         <       <        =         !           !             !             !          ?
completed          <       R         R       R        R         =           !             !             !          &
requestFailed      <       R         R       R        R         !           =             !             !          &
refinedFailed      <       R         R       R        R         !           !             =             !          &
learningFailed     <       R         R       R        R         !           !             !             =          &
other              >       >         >       >        >         !           !             !             !          ?
"""


def _read_grid(grid: str) -> Mapping[tuple[str, str], Transition]:
    header, *rows = [line.split() for line in grid.strip().splitlines()]
    return MappingProxyType(
        {
            (known, observed): Transition(sign)
            for known, *signs in rows
            for observed, sign in zip(header, signs, strict=True)
        }
    )


TRANSITIONS: Final = _read_grid(_GRID)

NEEDS_CONFIRMATION: Final = frozenset({Transition.BACK, Transition.RESTART, Transition.END_TO_UNKNOWN})
"""Transitions that need a second answer, from a view or a list."""

CHAIN: Final = (Status.REQUESTING, Status.WAITING, Status.LEARNING)
"""The usual stages before an end, by our interpretation."""

LAST_STAGES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        Status.REQUEST_FAILED: Status.REQUESTING,
        Status.REFINED_FAILED: Status.WAITING,
        Status.LEARNING_FAILED: Status.LEARNING,
        Status.COMPLETED: Status.LEARNING,
    }
)
"""The last stage before each end: a training whose request failed never came as far as ``waiting``."""


def transition_between(known: str | None, observed: str) -> Transition:
    """Return the table's transition from the recorded status to the observed one, for any two texts.

    ``None`` is a training without a recorded status. Its first status is a transition forward or an end.
    """
    if known == observed:
        return Transition.SAME
    return TRANSITIONS[_stage(known) if known is not None else OTHER, _stage(observed)]


def _stage(status: str) -> str:
    return status if phase_of(status) is not Phase.UNKNOWN else OTHER


def skipped_between(known: str | None, observed: str) -> tuple[str, ...]:
    """Return the stages strictly between two statuses, in the order requesting, waiting, learning, end.

    Empty where the order does not have the recorded status.
    """
    if known not in CHAIN:
        return ()
    start = CHAIN.index(Status(known)) + 1
    return tuple(stage.value for stage in CHAIN[start : _stages_before(observed)])


def _stages_before(status: str) -> int:
    """Return the number of stages of the chain that lie before a status; 0 for a status beside the chain."""
    if is_final(status):
        return CHAIN.index(LAST_STAGES[status]) + 1
    return CHAIN.index(Status(status)) if status in CHAIN else 0
