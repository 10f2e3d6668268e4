"""The first line of the message about changes during an outage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.incidents.model import account_subject
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import Style
from watcher.core.messages.subject import service_code, training_line
from watcher.core.messages.text import TextLine, code, rounded_bounds
from watcher.core.timestamps import to_text
from watcher.core.training.catch_up import Outage
from watcher.core.training.model import WATCH_PREFIX

NEAR: Final = timedelta(minutes=1)
"""Bounds of a change that are so near to those of the outage are not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageSpan:
    """The outage that hid several changes, with its bounds as these changes know them."""

    outage: Outage
    since: datetime
    """Start of its first failed poll, rounded down to a second."""
    until: datetime
    """End of the last answer with one of the changes, rounded up to a second."""

    def says(self, after: datetime, before: datetime) -> bool:
        """Return whether the first line has these bounds of a change well enough."""
        return abs(after - self.since) <= NEAR and self.until - before <= NEAR


def span_of(events: Iterable[Event]) -> OutageSpan | None:
    """Return the outage that hid every one of these events; ``None`` where they have no common one."""
    every = list(events)
    outages = {event.outage for event in every}
    outage = outages.pop()
    if outage is None or outages:
        return None
    until = max(event.before for event in every)
    # A wall clock that was set back during the outage must not swap its bounds.
    since, until = rounded_bounds(min(outage.since, until), until)
    return OutageSpan(outage=outage, since=since, until=until)


def published_outage(events: Sequence[Event]) -> dict[str, object] | None:
    """Return the outage that hid every one of these events, as the webhook's body has it."""
    span = span_of(events)
    if span is None:
        return None
    first = events[0]
    return {
        "incident": first.group,
        "account": first.account,
        "service": None if _is_of_account(first, span.outage.subject) else first.service,
        "since": to_text(span.since),
        "until": to_text(span.until),
    }


def headed_span(events: Sequence[Event]) -> OutageSpan | None:
    """Return the outage that the first line names; ``None`` where there is none, and where failures come first."""
    return None if any(event.kind is Kind.FAILED for event in events) else span_of(events)


def outage_title(event: Event, span: OutageSpan, style: Style) -> TextLine:
    """Return the account, service or training of the outage that hid ``event``, and its bounds."""
    return style.words.say(
        Phrase.BATCH_OUTAGE_OF,
        subject=_subject(event, span.outage.subject, style),
        from_time=span.since,
        to_time=span.until,
    )


def _subject(event: Event, subject: str, style: Style) -> TextLine:
    words = style.words
    if _is_of_account(event, subject):
        return words.say(Phrase.ACCOUNT, account=code(event.account))
    if subject.startswith(WATCH_PREFIX):
        return training_line(event, style)
    return words.say(Phrase.SERVICE, service=service_code(event, style))


def _is_of_account(event: Event, subject: str) -> bool:
    return subject == account_subject(event.account or "")
