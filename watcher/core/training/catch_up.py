"""The catch-up that finds late changes, and the outage that came before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

OWN_GROUP: Final = "list"
"""Begins the id of a group that is no catch-up: of changes that one answer shows together."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The time of an incident, in which a training could not be polled."""

    subject: str
    """The account, service or training that could not be polled, as in the store."""
    since: datetime
    """Start of the first failed poll."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The polls after an incident, a start or a reload, whose late changes form one message."""

    id: str
    """The id of the incident, or a text that names the start or the reload."""
    outage: Outage | None = None
    """``None`` after a start or a reload."""
