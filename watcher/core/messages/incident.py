"""The text about failing polls and the store, worded so that nobody takes it for a failed training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from watcher.core.event import SHORT_ID_LENGTH, Event, IncidentFacts, Kind
from watcher.core.incidents.advice import advice_for
from watcher.core.incidents.tracker import IncidentChangeKind
from watcher.core.messages.text import Bounds, Code, TextLine, code, listed, one_line, span_text
from watcher.core.polling.plan import EVERY_SERVICE

DETAIL_LIMIT: Final = 300
ADVICE_LIMIT: Final = 400


class About(StrEnum):
    """The thing that an incident is about, read from the subject of its event."""

    ACCOUNT = "account"
    CLOCK = "clock"
    """The difference between AiTEMS' clock and ours; polls may still succeed."""
    SERVICES = "services"
    """The list of an account's services."""
    SERVICE = "service"
    TRAINING = "training"
    STORE = "store"
    """The watcher's own store."""


def about(event: Event) -> About:
    """Return the thing that this event of an incident is about."""
    if event.version is not None:
        return About.TRAINING
    if event.service is not None:
        return About.SERVICE
    kind = event.subject.partition(":")[0]
    return {"clock": About.CLOCK, "service": About.SERVICES, "watcher": About.STORE}.get(kind, About.ACCOUNT)


_CONSEQUENCES: Final[Mapping[About, str]] = MappingProxyType(
    {
        About.ACCOUNT: "Trainings keep their last known status; this does not mean that one of them failed.",
        About.CLOCK: "This alone stops no poll. Times in messages are those of this machine's clock.",
        About.SERVICES: "Known services are polled as before. New services are not found until this ends.",
        About.SERVICE: "Trainings keep their last known status; this does not mean that one of them failed.",
        About.TRAINING: "The training keeps its last known status; this does not mean that it failed.",
        About.STORE: "Changes during this time are announced when the store can be written again.",
    }
)

CHANGES_FOLLOW: Final = "Changes during this time, if any, follow in separate messages."
BASELINE_FOLLOWS: Final = "The first answer is the baseline: only changes after it are announced."


def headline(event: Event) -> str | None:
    """Return a headline that fits better than that of the event's kind; ``None`` where there is none."""
    if event.incident is None:
        return None
    match event.kind, about(event):
        case Kind.RECOVERED, About.CLOCK:
            return "Clocks agree again"
        case Kind.RECOVERED, _:
            return "Found at AiTEMS" if _was_not_found(event.incident) else None
        case Kind.CLOCK_SKEW, About.CLOCK:
            return None
        case Kind.CLOCK_SKEW, _:
            return "Unreachable (clocks differ)"
        case _:
            return None


def subject_line(event: Event) -> TextLine:
    """Return the subject of an event about an account or the store."""
    if about(event) is About.STORE:
        return ("the watcher's store",)
    account = code(event.account)
    return ("service list of account ", account) if about(event) is About.SERVICES else ("account ", account)


def short_id(facts: IncidentFacts) -> Code:
    """Return the beginning of an incident's id, as long as that of an event's."""
    return code(facts.id[:SHORT_ID_LENGTH])


def lines(event: Event, facts: IncidentFacts) -> Iterable[TextLine]:
    """Return the lines about an incident that began, has a new cause, or ended; the most important first."""
    if event.kind in {Kind.RECOVERED, Kind.STORE_RECOVERED}:
        return _ending(event, facts)
    return _beginning(event, facts)


def _beginning(event: Event, facts: IncidentFacts) -> Iterable[TextLine]:
    if event.reason == IncidentChangeKind.UPDATED:
        yield ("The incident continues with a new cause.",)
    yield _since(event, facts)
    yield ("Cause: ", *_cause(facts))
    yield (f"Remedy: {one_line(advice_for(facts), ADVICE_LIMIT)}",)
    yield (_consequence(event, facts),)
    yield from _covers(facts, "It includes the incidents announced before about ")


def _since(event: Event, facts: IncidentFacts) -> TextLine:
    if about(event) is About.CLOCK:
        return ("First noticed at ", facts.since, ".")
    if about(event) is About.STORE:
        return ("Since ", facts.since, ".")
    verb = "Not found" if event.kind is Kind.NOT_FOUND else "Unreachable"
    return (f"{verb} since ", facts.since, *_last_good_poll(event, facts))


def _last_good_poll(event: Event, facts: IncidentFacts) -> TextLine:
    if facts.last_good_at is not None:
        # An account with absorbed incidents has the time of those: its other services may have answered since.
        whose = " of all services" if facts.covers else ""
        return (f"; last good poll{whose} at ", facts.last_good_at, ".")
    # An account's last answer is only in memory: there may have been one before the start.
    if about(event) is About.ACCOUNT:
        return ("; no good poll since the watcher started.",)
    return ("; last good poll: not known.",)


def _consequence(event: Event, facts: IncidentFacts) -> str:
    if about(event) is About.TRAINING and facts.last_good_at is None:
        return "No status of this training is known; this does not mean that it failed."
    return _CONSEQUENCES[about(event)]


def _ending(event: Event, facts: IncidentFacts) -> Iterable[TextLine]:
    yield _lasted(event, facts)
    yield ("Latest cause: ", *_cause(facts))
    yield from _covers(facts, "It included the incidents announced before about ")
    if about(event) not in {About.CLOCK, About.SERVICES}:
        first = facts.last_good_at is None and about(event) not in {About.ACCOUNT, About.STORE}
        yield (BASELINE_FOLLOWS if first else CHANGES_FOLLOW,)
    if about(event) is not About.CLOCK and facts.kind is Kind.CLOCK_SKEW:
        yield ("These times are those of this machine's clock, which differed from AiTEMS' clock.",)


def _lasted(event: Event, facts: IncidentFacts) -> TextLine:
    if about(event) is About.CLOCK:
        # Setting the clock changes the span between two of its times.
        return ("First noticed at ", facts.since, ", by this machine's clock at that time.")
    bounds = Bounds.around(facts.since, event.before)
    span = "a while" if facts.lasted_seconds is None else span_text(facts.lasted_seconds)
    return (f"{_state(event, facts)} for {span}: from ", bounds.after, " to ", bounds.before, ".")


def _state(event: Event, facts: IncidentFacts) -> str:
    if about(event) is About.STORE:
        return "Could not be written"
    return "Not found" if _was_not_found(facts) else "Unreachable"


def _was_not_found(facts: IncidentFacts) -> bool:
    return facts.kind is Kind.NOT_FOUND


def _cause(facts: IncidentFacts) -> TextLine:
    cause = code(facts.cause)
    return (cause, " (", code(facts.detail, DETAIL_LIMIT), ").") if facts.detail else (cause, ".")


def _covers(facts: IncidentFacts, beginning: str) -> Iterable[TextLine]:
    if facts.covers:
        yield (beginning, *listed(map(_named, facts.covers)), ".")


def _named(subject: str) -> TextLine:
    """Write the last part of a subject of the store such as ``service:main/6wxgu1abcde``."""
    kind, _, path = subject.partition(":")
    name = unquote(path.rpartition("/")[2])
    if kind != "service":
        return ("training ", code(name))
    return ("the service list",) if name == EVERY_SERVICE else ("service ", code(name))
