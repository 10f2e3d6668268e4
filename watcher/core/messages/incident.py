"""The words about not seeing, chosen so that nobody takes them for a failed training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.incidents.tracker import IncidentChangeKind
from watcher.core.messages.text import Bounds, Code, TextLine, code, listed, one_line, span_text
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.timestamps import from_text

DETAIL_LIMIT: Final = 300
ADVICE_LIMIT: Final = 400

Facts = Mapping[str, object]
"""An event's ``incident``, see ``core.incident_event``."""


class About(StrEnum):
    """What an incident is about, read from its event's subject."""

    ACCOUNT = "account"
    CLOCK = "clock"
    """An account's clock and ours: looks may go on all the same."""
    SERVICES = "services"
    """Which services an account has."""
    SERVICE = "service"
    TRAINING = "training"
    STORE = "store"
    """The watcher's own store."""


def about(event: Event) -> About:
    """Return what this event of an incident is about."""
    if event.version is not None:
        return About.TRAINING
    if event.service is not None:
        return About.SERVICE
    kind = event.subject.partition(":")[0]
    return {"clock": About.CLOCK, "service": About.SERVICES, "watcher": About.STORE}.get(kind, About.ACCOUNT)


_STAYS: Final[Mapping[About, str]] = MappingProxyType(
    {
        About.ACCOUNT: "Trainings keep their last known status; this does not mean that one of them failed.",
        About.CLOCK: "This alone hides no change. Times that are told are by this machine's clock.",
        About.SERVICES: "Services that were found before are looked at as before; new ones are not found meanwhile.",
        About.SERVICE: "Trainings keep their last known status; this does not mean that one of them failed.",
        About.TRAINING: "The training keeps its last known status; this does not mean that it failed.",
        About.STORE: "What changes meanwhile is told afterwards; nothing is lost by it.",
    }
)

CHANGES_FOLLOW: Final = "What changed meanwhile, if anything, is told in messages of its own."
FIRST_SIGHT: Final = "What is seen for the first time now is the starting point: changes are told from here on."


def headline(event: Event) -> str | None:
    """Return the words that fit better than the kind's own; ``None`` where those will do."""
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
            return "Watcher cannot see (clocks disagree)"
        case _:
            return None


def subject_line(event: Event) -> TextLine:
    """Return what cannot be seen of an account, or can be again; or the store."""
    if about(event) is About.STORE:
        return ("the watcher's store",)
    account = code(event.account)
    return ("list of services of account ", account) if about(event) is About.SERVICES else ("account ", account)


def short_id(facts: Facts) -> Code:
    """Return the beginning of an incident's id, as long as that of an event's."""
    return code(str(facts.get("id"))[:SHORT_ID_LENGTH])


def lines(event: Event) -> Iterable[TextLine]:
    """Return what is said about an incident that began, has another cause now, or ended; the weightiest first."""
    if event.incident is None:
        return ()
    if event.kind in {Kind.RECOVERED, Kind.STORE_RECOVERED}:
        return _ending(event, event.incident)
    return _beginning(event, event.incident)


def _beginning(event: Event, facts: Facts) -> Iterable[TextLine]:
    if event.reason == IncidentChangeKind.UPDATED:
        yield ("The incident goes on, and its cause is another one now.",)
    yield _since(event, facts)
    yield ("Cause: ", *_cause(facts))
    yield (f"What to do: {one_line(str(facts.get('advice')), ADVICE_LIMIT)}",)
    yield (_what_stays(event, facts),)
    yield from _covers(facts, "It has taken over what was told before about ")


def _since(event: Event, facts: Facts) -> TextLine:
    since = from_text(str(facts["since"]))
    if about(event) is About.CLOCK:
        return ("Noticed first at ", since, ".")
    if about(event) is About.STORE:
        return ("Since ", since, ".")
    verb = "Not found" if event.kind is Kind.NOT_FOUND else "Not seen"
    return (f"{verb} since ", since, *_seen_last(event, facts))


def _seen_last(event: Event, facts: Facts) -> TextLine:
    moment = facts.get("last_good_at")
    if moment is not None:
        # Of an account with dark services it is their time: others of it may have been seen since.
        beginning = "; all of it was seen last at " if facts.get("covers") else "; seen last at "
        return (beginning, from_text(str(moment)), ".")
    # What an account answered is counted in memory: before the start it may have been seen.
    never = "never since the watcher started" if about(event) is About.ACCOUNT else "not known"
    return (f"; seen last: {never}.",)


def _what_stays(event: Event, facts: Facts) -> str:
    if about(event) is About.TRAINING and facts.get("last_good_at") is None:
        return "No status of this training is known; this does not mean that it failed."
    return _STAYS[about(event)]


def _ending(event: Event, facts: Facts) -> Iterable[TextLine]:
    yield _lasted(event, facts)
    yield ("Latest cause: ", *_cause(facts))
    yield from _covers(facts, "It had taken over what was told before about ")
    if about(event) not in {About.CLOCK, About.SERVICES}:
        first = facts.get("last_good_at") is None and about(event) not in {About.ACCOUNT, About.STORE}
        yield (FIRST_SIGHT if first else CHANGES_FOLLOW,)
    if about(event) is not About.CLOCK and facts.get("kind") == Kind.CLOCK_SKEW:
        yield ("These times are by this machine's clock, which disagreed with AiTEMS'.",)


def _lasted(event: Event, facts: Facts) -> TextLine:
    since = from_text(str(facts["since"]))
    if about(event) is About.CLOCK:
        # Whoever set the clock changed what lies between two times.
        return ("Noticed first at ", since, ", by this machine's clock of that time.")
    verb = "written" if about(event) is About.STORE else "found" if _was_not_found(facts) else "seen"
    bounds = Bounds.around(since, event.before)
    return (f"Could not be {verb} for {_span(facts)}: from ", bounds.after, " to ", bounds.before, ".")


def _span(facts: Facts) -> str:
    seconds = facts.get("lasted_seconds")
    return span_text(seconds) if isinstance(seconds, int | float) else "a while"


def _was_not_found(facts: Facts) -> bool:
    return facts.get("kind") == Kind.NOT_FOUND


def _cause(facts: Facts) -> TextLine:
    detail = facts.get("detail")
    cause = code(facts.get("cause"))
    return (cause, ".") if not detail else (cause, " (", code(detail, DETAIL_LIMIT), ").")


def _covers(facts: Facts, beginning: str) -> Iterable[TextLine]:
    match facts.get("covers"):
        case [_, *_] as subjects:
            yield (beginning, *listed(_named(str(subject)) for subject in subjects), ".")
        case _:
            return


def _named(subject: str) -> TextLine:
    """Read a subject as the store writes it, e.g. ``service:main/6wxgu1abcde``; its last part names it best."""
    kind, _, path = subject.partition(":")
    name = unquote(path.rpartition("/")[2])
    if kind != "service":
        return ("training ", code(name))
    return ("the list of services",) if name == EVERY_SERVICE else ("service ", code(name))
