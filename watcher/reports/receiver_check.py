"""The marked alert that tests a receiver, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, assert_never

from watcher.core.delivery.model import Degrade, Delivered, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import reason_from_json, reason_json
from watcher.core.event import Event, Kind
from watcher.core.messages.check_alert import TEST_REASON
from watcher.core.messages.reasons import reason_text
from watcher.core.training.model import Status, TrainingRef

if TYPE_CHECKING:
    from watcher.core.health.problems import Problem
    from watcher.receivers.slack.access import Access

SENDER: Final = "TEST from aitems-watcher"
EXPLANATION: Final = "A test of this receiver: no training has changed."


def marked_event(now: datetime, token: str) -> Event:
    """Return an invented event whose names all say that it is a test.

    Args:
        now: the present time, in UTC.
        token: makes the id unique, so that no receiver takes the event for a repeat.
    """
    ref = TrainingRef("test", "test", "pop", "test")
    return Event(
        id=f"evt_test{token}",
        kind=Kind.SUCCEEDED,
        subject=ref.subject,
        seq=1,
        reason=TEST_REASON,
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        service_name=SENDER,
        labels={"test": "true"},
        from_status=Status.LEARNING,
        to_status=Status.COMPLETED,
        after=now - timedelta(seconds=30),
        before=now,
        recorded_at=now,
        record={"description": EXPLANATION},
    )


def outcome_text(outcome: Outcome) -> str:
    """Describe the outcome of the attempt."""
    match outcome:
        case Delivered():
            return "delivered"
        case TryLater(reason=reason):
            return f"not delivered; the daemon would retry: {reason_text(reason)}"
        case Uncertain(reason=reason):
            return f"unknown whether it arrived: {reason_text(reason)}"
        case Degrade(reason=reason):
            return f"not delivered; the daemon would send simpler content: {reason_text(reason)}"
        case Refused(reason=reason):
            return f"refused: {reason_text(reason)}"
        case _:
            assert_never(outcome)


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Return the outcome for programs."""
    return {
        "delivered": isinstance(outcome, Delivered),
        "outcome": type(outcome).__name__,
        "reason": None if isinstance(outcome, Delivered) else reason_text(outcome.reason),
        "reason_code": None if isinstance(outcome, Delivered) else reason_json(outcome.reason),
        "answer": outcome.answer,
    }


def stopped_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Return for programs why the daemon sends no alerts."""
    return [{"problem": item.code.value, "detail": item.text, "remedy": item.remedy} for item in problems]


FAILED: Final = {kind.__name__: kind for kind in (TryLater, Uncertain, Degrade, Refused)}


def outcome_from_json(document: Mapping[str, Any]) -> Outcome:
    """Return the outcome that ``outcome_json`` described.

    Raises:
        ValueError: it is of another version, with an outcome that this one does not know.
    """
    answer, name = str(document["answer"]), str(document["outcome"])
    if name == Delivered.__name__:
        return Delivered(answer=answer)
    kind = FAILED.get(name)
    if kind is None:
        raise ValueError(f"the daemon answered an outcome that is not known here: {name}")
    # A daemon of an older version sends only the text.
    return kind(reason=reason_from_json(document.get("reason_code") or str(document["reason"])), answer=answer)


def access_from_json(document: Mapping[str, Any]) -> Access:
    """Return the information that ``access_json`` described."""
    from watcher.receivers.slack.access import Access  # noqa: PLC0415 - the package loads httpx2

    return Access(
        identity=document["identity"],
        scopes=tuple(document["scopes"]),
        answer=document["answer"],
        refused=document["refused"],
        unreadable=document["history_unreadable"],
    )


def access_json(access: Access) -> dict[str, object]:
    """Return Slack's information about a token, for programs."""
    return {
        "identity": access.identity,
        "scopes": list(access.scopes),
        "refused": access.refused,
        "history_unreadable": access.unreadable,
        "answer": access.answer,
    }


def scopes_text(access: Access) -> str:
    """Name the token's scopes."""
    return f"scopes {', '.join(access.scopes)}" if access.scopes else "Slack names no scopes"


def history_text(access: Access) -> str:
    """Say whether the token may read the channel's history, and the consequence."""
    if access.unreadable is None:
        return "its history is readable: each message arrives once"
    return f"its history is not readable ({access.unreadable}): after an uncertain attempt a message may come twice"
