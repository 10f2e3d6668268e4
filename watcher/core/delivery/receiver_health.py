"""Receivers that refuse for good: what an attempt says of its receiver, and what is told about that.

A refusal for good parks the receiver: its rows stay, and the oldest alone is tried, once an hour, until one passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote

from watcher.core.delivery.lookup import Finding, Found
from watcher.core.delivery.model import Delivered, Health, Outcome, Refused, Scope, Sign
from watcher.core.event import Event, Kind, event_id
from watcher.core.timestamps import to_text

LETTERS_MAX: Final = 50
"""Dead letters that one event names; the others are counted."""
RECEIVER_REMOVED: Final = "receiver-removed"
"""Why nothing passes where deliveries wait for a receiver that is not configured any more."""
REMOVED_REMEDY: Final = (
    "It is not in the configuration any more: write it there again under this name and run `aitems-watcher reload`, or "
    "end what waits by `aitems-watcher deliveries drop`."
)
PARKED_REMEDY: Final = (
    "Mend what the reason names, then run `aitems-watcher reload`, or restart where a secret is given by env or "
    "credential. Until then it is tried once an hour."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered of a receiver."""

    name: str
    seq: int = 0
    """The number of the latest event about it."""
    broken_since: datetime | None = None
    reason: str = ""
    answer: str = ""

    @property
    def subject(self) -> str:
        """What its events are about, e.g. ``receiver:ml-ops``."""
        return f"receiver:{quote(self.name, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that was given up."""

    id: str
    reason: str
    about: str
    """Its message in one line."""
    created_at: datetime


def sign_of(outcome: Outcome | Finding, began_at: datetime | None = None) -> Sign | None:
    """Return what an outcome says of the receiver; ``None`` where it says nothing.

    Args:
        outcome: of an attempt, or of looking one up.
        began_at: when that attempt began.
    """
    match outcome:
        case Delivered():
            return Sign(health=Health.PASSES)
        case Found():
            return Sign(health=Health.PASSES, began_at=began_at)
        case Refused(reason=reason, answer=answer, scope=Scope.RECEIVER):
            return Sign(health=Health.REFUSES, reason=reason, answer=answer)
        case _:
            return None


def is_news(standing: Standing, sign: Sign) -> bool:
    """Say whether a sign changes how a receiver stands: what passed before the refusal does not take that back."""
    if sign.health is Health.REFUSES:
        return True
    since = standing.broken_since
    return since is not None and (sign.began_at is None or sign.began_at >= since)


def turn(standing: Standing, sign: Sign, waiting: int, epoch: str, now: datetime) -> tuple[Standing, Event | None]:
    """Return how a receiver stands after an attempt, and what is told where that has changed.

    Args:
        standing: how it stood before.
        sign: what the attempt says.
        waiting: how many deliveries wait for it, this one among them where it did not pass.
        epoch: the store's.
        now: the attempt's end, UTC.
    """
    if sign.health is Health.PASSES:
        return _mended(standing, waiting, epoch, now) if is_news(standing, sign) else (standing, None)
    parked = replace(standing, reason=sign.reason, answer=sign.answer)
    if standing.broken_since is not None:
        return parked, None
    parked = replace(parked, broken_since=now, seq=standing.seq + 1)
    facts = {**_facts(parked, now), "waiting": waiting, "remedy": _remedy(sign.reason)}
    return parked, _event(parked, Kind.RECEIVER_BROKEN, epoch, (now, now), facts)


def _remedy(reason: str) -> str:
    return REMOVED_REMEDY if reason == RECEIVER_REMOVED else PARKED_REMEDY


def _mended(standing: Standing, waiting: int, epoch: str, now: datetime) -> tuple[Standing, Event]:
    mended = Standing(name=standing.name, seq=standing.seq + 1)
    since = standing.broken_since or now
    facts = {**_facts(standing, since), "waiting": waiting, "lasted_seconds": max((now - since).total_seconds(), 0.0)}
    return mended, _event(mended, Kind.RECEIVER_MENDED, epoch, (min(since, now), now), facts)


def undelivered(standing: Standing, letters: Sequence[DeadLetter], epoch: str, now: datetime) -> tuple[Standing, Event]:
    """Return what is told about deliveries that were given up, at least one, and the receiver's standing after it."""
    told = replace(standing, seq=standing.seq + 1)
    oldest = min(letter.created_at for letter in letters)
    named = letters[:LETTERS_MAX]
    facts = {
        **_facts(standing, oldest),
        "reason": letters[0].reason,
        "count": len(letters),
        "deliveries": [{"id": item.id, "reason": item.reason, "about": item.about} for item in named],
        "remedy": _retry_command(standing.name, letters),
    }
    return told, _event(told, Kind.UNDELIVERED, epoch, (min(oldest, now), now), facts)


def _retry_command(name: str, letters: Sequence[DeadLetter]) -> str:
    which = letters[0].id if len(letters) == 1 else f"--all-dead --receiver {name}"
    return f"aitems-watcher deliveries retry {which}"


def _facts(standing: Standing, since: datetime) -> dict[str, object]:
    return {
        "name": standing.name,
        "since": to_text(since),
        "reason": standing.reason,
        "answer": standing.answer,
        "waiting": None,
        "lasted_seconds": None,
        "count": 0,
        "deliveries": [],
        "remedy": "",
    }


_REASONS: Final = {
    Kind.RECEIVER_BROKEN: "refused-for-good",
    Kind.RECEIVER_MENDED: "passes-again",
    Kind.UNDELIVERED: "given-up",
}


def _event(
    standing: Standing, kind: Kind, epoch: str, bounds: tuple[datetime, datetime], facts: dict[str, object]
) -> Event:
    after, before = bounds
    return Event(
        id=event_id(epoch, standing.subject, standing.seq),
        kind=kind,
        subject=standing.subject,
        seq=standing.seq,
        reason=_REASONS[kind],
        account=None,
        service=None,
        training_type=None,
        version=None,
        from_status=None,
        to_status=None,
        after=after,
        before=before,
        recorded_at=before,
        receiver=facts,
    )
