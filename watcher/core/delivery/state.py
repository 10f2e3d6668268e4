"""The states of a delivery; apart from the model, as a command that only reads needs no more."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class OnUncertain(StrEnum):
    """The action after an uncertain attempt, where a second copy cannot be excluded."""

    RESEND = "resend"
    HOLD = "hold"


class State(StrEnum):
    """The states of a delivery."""

    PENDING = "pending"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    DELIVERED = "delivered"
    HELD = "held"
    DEAD = "dead"
    DROPPED = "dropped"
    SILENCED = "silenced"
    """Not sent on purpose; the row records that."""


DELIVERED_IN_BATCH: Final = "delivered in a batch"
"""The ending of an event that was delivered in one message with others; otherwise an ending is a state."""

OPEN_STATES: Final = frozenset({State.PENDING, State.SENDING, State.UNCERTAIN})
"""States that need further work; such a delivery blocks later ones of its training and receiver."""

NEEDS_OPERATOR: Final = (State.DEAD, State.HELD)
"""The states that only an operator can change."""
