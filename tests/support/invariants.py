"""The invariant checker of all fault tests: nothing lost, no event under two ids, nothing out of order.

It compares three sources: the answers of the API, the records of the store, and the arrivals at receivers.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from tests.support.fault_table import TALLY
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.event import Event, Kind, event_id
from watcher.core.training.absence import Missing
from watcher.core.training.model import TrainingRef
from watcher.core.training.retraining import start_in
from watcher.core.training.run import WITHOUT_CHANGE
from watcher.store.views import EventHistory

RECORDING: Final = timedelta(seconds=1)
"""An answer counts as received if its daemon ran at least this much longer."""

Subject = tuple[str, str, str]


class Breach(StrEnum):
    """The kind of a broken promise."""

    LOST = "lost"
    SECOND_ID = "second-id"
    DISORDER = "disorder"
    UNTRUE = "untrue"
    """The record contradicts the answers, or itself."""


class Violation(NamedTuple):
    """One broken promise, as a text."""

    breach: Breach
    text: str


class LedgerEntry(NamedTuple):
    """One entry of the ledger."""

    event_id: str
    receiver: str
    delivery_id: str
    ending: str | None


@dataclass(frozen=True, slots=True)
class DaemonRun:
    """One run of a daemon, from its start to its end."""

    started_at: datetime
    ended_at: datetime
    in_flight: frozenset[str] | None = None
    """The deliveries in sending at its death; ``None`` if unknown."""

    def surely_received(self, time: datetime) -> bool:
        """Return whether this run surely processed an answer of this time."""
        # On virtual time, a run may die and the next one start at the time of an answer: it belongs to the dead one.
        return self.started_at < time <= self.ended_at - RECORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The input of the checker."""

    shown: Sequence[ShownAnswer]
    runs: Sequence[DaemonRun]
    announced: Sequence[EventHistory]
    received: Mapping[str, Sequence[Received]]
    """The requests at each webhook receiver, in the order of arrival."""
    epoch: str | None = None
    ledger: Sequence[LedgerEntry] | None = None
    """``None`` if the test cannot read the file."""
    routed: Callable[[Event], frozenset[str]] | None = None
    """The receivers in an event's route; ``None`` if the test does not state them."""
    answers_comparable: bool = True
    """Whether the answers can be compared; false after a step of the wall clock or on a faulty connection."""
    repeats_left_out: bool = False
    """Whether only the first answers with the same status are kept; all until the next one show it too."""
    patience: timedelta = RECORDING
    """The time from the last equal answer to a record that counts although the status before it was shown meanwhile."""
    answers_for_record: int = 2
    """The equal answers in a row that require a record: three where one of them may be to a list of trainings that only
    shows whether its service exists."""


def violations(evidence: Evidence) -> list[str]:
    """Return every broken promise as a text; the row of the current test counts them."""
    found = list(_violations(evidence))
    _count(evidence, found)
    return [violation.text for violation in found]


def _count(evidence: Evidence, found: Sequence[Violation]) -> None:
    row = TALLY.current
    if row is None:
        return
    row.checked = True
    row.events += len(evidence.announced)
    outcomes = [outcome for announced in evidence.announced for outcome in announced.delivery_outcomes]
    row.delivered += sum(outcome.state is State.DELIVERED for outcome in outcomes)
    row.lost += sum(violation.breach is Breach.LOST for violation in found)
    row.second_ids += sum(violation.breach is Breach.SECOND_ID for violation in found)
    row.repeats += sum(repeats(received) for received in evidence.received.values())
    if evidence.answers_comparable:
        row.slowest_seconds = max(row.slowest_seconds, slowest_seconds(evidence))


def _violations(evidence: Evidence) -> list[Violation]:
    events = [announced.event for announced in evidence.announced]
    transitions = [event for event in events if event.version is not None and _is_transition(event)]
    stuck = [event for event in events if event.kind is Kind.STUCK]
    return [
        *_gaps(events),
        *_broken_chains(transitions),
        *_wrong_ids(events, evidence.epoch),
        *(_lost_statuses(evidence, transitions) if evidence.answers_comparable else ()),
        *(_unshown_statuses(evidence, [*transitions, *stuck]) if evidence.answers_comparable else ()),
        *_repeated_reports(stuck),
        *_repeated_updates(events),
        *_repeated_absences_of_results(events),
        *_wrong_absences(events),
        *_open_ends(evidence.announced),
        *_ledger_faults(evidence),
        *_arrival_faults(evidence),
    ]


def _is_transition(event: Event) -> bool:
    return event.incident is None and event.kind not in {Kind.GONE, *WITHOUT_CHANGE}


def _by_subject(events: Iterable[Event]) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        groups[event.subject].append(event)
    return groups


def _gaps(events: Iterable[Event]) -> Iterator[Violation]:
    for subject, chain in _by_subject(events).items():
        if [event.seq for event in chain] != list(range(1, len(chain) + 1)):
            yield Violation(
                Breach.LOST, f"{subject}: the numbers have a gap or a repeat: {[event.seq for event in chain]}"
            )


def _broken_chains(transitions: Iterable[Event]) -> Iterator[Violation]:
    for subject, chain in _by_subject(transitions).items():
        for event in chain:
            if event.from_status == event.to_status or event.after > event.before:
                yield Violation(Breach.UNTRUE, f"{event.short_id}: no change, or reversed bounds")
        for earlier, later in itertools.pairwise(chain):
            if earlier.to_status != later.from_status:
                yield Violation(
                    Breach.UNTRUE, f"{subject}: {earlier.to_status} is followed by a change from {later.from_status}"
                )


def _repeated_reports(stuck: Iterable[Event]) -> Iterator[Violation]:
    """One event a stage and level."""
    counts = Counter((item.subject, item.stuck.since, item.stuck.level) for item in stuck if item.stuck is not None)
    for (subject, since, level), count in counts.items():
        if count > 1:
            yield Violation(Breach.SECOND_ID, f"{subject}: {count} events of level {level} since {since.after}")


def _repeated_updates(events: Iterable[Event]) -> Iterator[Violation]:
    """One event each end of an update; it cannot end twice in the same way without another end between."""
    ends: dict[tuple[str, str], list[Kind]] = defaultdict(list)
    for event in events:
        if event.update is not None:
            ends[event.subject, event.update.version].append(event.kind)
    for (subject, version), kinds in ends.items():
        if any(earlier is later for earlier, later in itertools.pairwise(kinds)):
            yield Violation(Breach.SECOND_ID, f"{subject}: update {version} ended as {', '.join(kinds)}")


def _repeated_absences_of_results(events: Iterable[Event]) -> Iterator[Violation]:
    """One event a completion, after its limit."""
    missing = [(event, event.unusable) for event in events if event.unusable is not None]
    counts = Counter((event.subject, facts.completed) for event, facts in missing)
    for (subject, completed), count in counts.items():
        if count > 1:
            yield Violation(Breach.SECOND_ID, f"{subject}: {count} events about no result since {completed.before}")
    for event, facts in missing:
        if event.after - facts.completed.before <= facts.limit:
            yield Violation(Breach.UNTRUE, f"{event.short_id}: the limit had not passed")


def _wrong_absences(events: Sequence[Event]) -> Iterator[Violation]:
    """One event an absence, from a poll after the deadline, and not where the store knows a start meanwhile."""
    overdue = [(event, event.overdue) for event in events if event.overdue is not None]
    counts = Counter((event.subject, facts.missing, facts.last) for event, facts in overdue)
    for (subject, missing, last), count in counts.items():
        if count > 1:
            yield Violation(Breach.SECOND_ID, f"{subject}: {count} events about no {missing} since {last}")
    for event, facts in overdue:
        if event.after < facts.deadline or facts.deadline < facts.expected_at:
            yield Violation(Breach.UNTRUE, f"{event.short_id}: no poll after {facts.deadline} showed it")
        since = None if facts.last is None else facts.last.before
        if since is not None and any(_ends_absence(item, event) and since < item.before for item in events):
            yield Violation(Breach.UNTRUE, f"{event.short_id}: one came after {since}")


def _ends_absence(event: Event, overdue: Event) -> bool:
    if overdue.overdue is None or event.before >= overdue.before:
        return False
    if (event.account, event.service, event.training_type) != (overdue.account, overdue.service, overdue.training_type):
        return False
    if overdue.overdue.missing is Missing.COMPLETED:
        return event.kind is Kind.SUCCEEDED
    return start_in(event) is not None


def _wrong_ids(events: Sequence[Event], epoch: str | None) -> Iterator[Violation]:
    if len({event.id for event in events}) != len(events):
        yield Violation(Breach.SECOND_ID, "two events have one id")
    for event in events:
        if event.kind is Kind.STORE_FAILING:
            # It is sent before it is recorded, so its id depends on the time too.
            continue
        if epoch is not None and event.id != event_id(epoch, event.subject, event.seq):
            yield Violation(Breach.SECOND_ID, f"{event.short_id}: not the id of {event.subject} number {event.seq}")


def _lost_statuses(evidence: Evidence, events: Sequence[Event]) -> Iterator[Violation]:
    """Successive answers with one status, in one run, require the record of that status."""
    chains = _by_subject(events)
    for subject, answers in _answers_by_subject(evidence.shown).items():
        baseline = _possible_baselines(answers, evidence.runs)
        chain = chains.get(_subject_key(subject), [])
        for equal in _windows(answers, evidence.answers_for_record):
            last = equal[-1]
            if any(item.status != last.status for item in equal) or not _in_one_life(equal, evidence.runs):
                continue
            if _ended_meanwhile(chain, equal):
                continue
            known = _recorded_about(chain, last.at, baseline, evidence.patience)
            if last.status not in known:
                times = _times(len(equal))
                yield Violation(
                    Breach.LOST, f"{subject}: {last.status} was shown {times} by {last.at}, recorded is {known}"
                )


def _ended_meanwhile(chain: Iterable[Event], equal: Sequence[ShownAnswer]) -> bool:
    """Return whether an unconfirmed end was recorded between these answers.

    A view that contradicts the end of a list withdraws nothing, so the answers before that record repeat no step back.
    """
    first, last = equal[0].at, equal[-1].at
    return any(not event.confirmed and first < event.recorded_at <= last for event in chain)


def _windows(answers: Sequence[ShownAnswer], size: int) -> Iterator[Sequence[ShownAnswer]]:
    return (answers[first : first + size] for first in range(len(answers) - size + 1))


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _answers_by_subject(shown: Iterable[ShownAnswer]) -> dict[Subject, list[ShownAnswer]]:
    groups: dict[Subject, list[ShownAnswer]] = defaultdict(list)
    for answer in shown:
        groups[answer.subject].append(answer)
    return groups


def _in_one_life(answers: Iterable[ShownAnswer], runs: Iterable[DaemonRun]) -> bool:
    times = [answer.at for answer in answers]
    return any(all(map(life.surely_received, times)) for life in runs)


def _possible_baselines(answers: Iterable[ShownAnswer], runs: Sequence[DaemonRun]) -> set[str | None]:
    """Return the possible first records of a training without an event.

    A run may or may not have recorded the answers just before its end.
    """
    statuses: set[str | None] = set()
    for answer in answers:
        statuses.add(answer.status)
        if any(life.surely_received(answer.at) for life in runs):
            break
    return statuses


def _recorded_about(
    chain: Sequence[Event], time: datetime, baselines: set[str | None], patience: timedelta
) -> set[str | None]:
    """Return the statuses that were recorded at this time or soon after it.

    A busy machine records late: the record of an answer also counts if no answer after this time showed the status
    before it.
    """
    first = {chain[0].from_status} if chain and chain[0].from_status is not None else baselines
    before = [event.to_status for event in chain if event.recorded_at <= time]
    later = [event for event in chain if time < event.recorded_at]
    soon = {event.to_status for event in later if event.recorded_at <= time + patience or event.after <= time}
    return ({before[-1]} if before else first) | soon


def _subject_key(subject: Subject) -> str:
    return TrainingRef("main", *subject).subject


def _unshown_statuses(evidence: Evidence, events: Iterable[Event]) -> Iterator[Violation]:
    """Each event's status must occur in an answer within its bounds."""
    answers = _answers_by_subject(evidence.shown)
    for event in events:
        found = answers.get((event.service or "", event.training_type or "", event.version or ""), [])
        statuses = {answer.status for answer in found if event.after <= answer.at <= event.before}
        if evidence.repeats_left_out:
            statuses |= {answer.status for answer in [item for item in found if item.at < event.after][-1:]}
        if event.to_status not in statuses:
            yield Violation(
                Breach.UNTRUE,
                f"{event.short_id}: {event.to_status} was not shown between {event.after} and {event.before}",
            )


def _open_ends(announced: Iterable[EventHistory]) -> Iterator[Violation]:
    for item in announced:
        if item.routed_at is None:
            yield Violation(Breach.LOST, f"{item.event.short_id}: never routed")
        for outcome in item.delivery_outcomes:
            if outcome.state in OPEN_STATES:
                yield Violation(Breach.LOST, f"{item.event.short_id} to {outcome.receiver}: still {outcome.state}")


def _ledger_faults(evidence: Evidence) -> Iterator[Violation]:
    """Each event needs exactly one ended entry for each receiver in its route."""
    if evidence.ledger is None:
        return
    counts = Counter((entry.event_id, entry.receiver) for entry in evidence.ledger)
    for (event, receiver), count in counts.items():
        if count > 1:
            yield Violation(Breach.SECOND_ID, f"{event} has {count} entries for {receiver}")
    for entry in evidence.ledger:
        if entry.ending is None:
            yield Violation(Breach.LOST, f"{entry.event_id} to {entry.receiver}: the entry has no ending")
    if evidence.routed is not None:
        for announced in evidence.announced:
            receivers = {receiver for event, receiver in counts if event == announced.event.id}
            if receivers != evidence.routed(announced.event):
                names = f"entered for {sorted(receivers)}, its route names {sorted(evidence.routed(announced.event))}"
                yield Violation(Breach.LOST, f"{announced.event.short_id} is {names}")


def _arrival_faults(evidence: Evidence) -> Iterator[Violation]:
    for receiver, received in evidence.received.items():
        yield from _lost_on_the_way(receiver, received, evidence.announced)
        yield from _second_ids(receiver, received)
        yield from _out_of_order(receiver, received, evidence.announced)


def _lost_on_the_way(
    receiver: str, received: Sequence[Received], announced: Iterable[EventHistory]
) -> Iterator[Violation]:
    arrived = {data["id"] for item in received for data in item.events}
    known: set[str] = set()
    due: set[str] = set()
    silenced: set[str] = set()
    for item in announced:
        states = {outcome.state for outcome in item.delivery_outcomes if outcome.receiver == receiver}
        known |= {item.event.id} if states else set()
        due |= {item.event.id} if states & {*OPEN_STATES, State.DELIVERED} else set()
        silenced |= {item.event.id} if State.SILENCED in states else set()
    if unsilenced := silenced & arrived:
        yield Violation(Breach.UNTRUE, f"{receiver}: {len(unsilenced)} arrived although silenced: {sorted(unsilenced)}")
    if lost := due - arrived:
        yield Violation(Breach.LOST, f"{receiver}: {len(lost)} events never arrived: {sorted(lost)}")
    if extra := arrived - known:
        yield Violation(
            Breach.UNTRUE, f"{receiver}: {len(extra)} arrived that the store does not know: {sorted(extra)}"
        )


def _second_ids(receiver: str, received: Sequence[Received]) -> Iterator[Violation]:
    bodies: dict[str, set[bytes]] = defaultdict(set)
    ids: dict[str, set[str]] = defaultdict(set)
    for item in received:
        bodies[item.webhook_id].add(item.body)
        for data in item.events:
            ids[data["id"]].add(item.webhook_id)
    for identity, variants in bodies.items():
        if len(variants) > 1:
            yield Violation(Breach.SECOND_ID, f"{receiver}: {identity} came with {len(variants)} different bodies")
    for event, deliveries in ids.items():
        if len(deliveries) > 1:
            yield Violation(Breach.SECOND_ID, f"{receiver}: {event} came under {len(deliveries)} ids")


def _ended_unsent(receiver: str, arrived: Collection[str], announced: Iterable[EventHistory]) -> set[tuple[str, int]]:
    """Return the subjects and numbers of deliveries that ended without reaching a receiver."""
    return {
        (item.event.subject, outcome.receiver_seq)
        for item in announced
        if item.event.id not in arrived
        for outcome in item.delivery_outcomes
        if outcome.receiver == receiver and outcome.state not in {*OPEN_STATES, State.DELIVERED}
    }


def _out_of_order(
    receiver: str, received: Sequence[Received], announced: Sequence[EventHistory]
) -> Iterator[Violation]:
    subjects = {item.event.id: item.event.subject for item in announced}
    arrivals = list(_first_arrivals(received))
    unsent = _ended_unsent(receiver, {data["id"] for data in arrivals}, announced)
    latest: dict[tuple[str | None, ...], tuple[int, int]] = {}
    for data in arrivals:
        about = (data["service"], data["training_type"], data["version"], _topic_of(data))
        number, count = latest.get(about, (0, 0))
        # An unsent delivery uses up a number, so that a consumer notices the gap.
        while (subjects.get(data["id"], ""), count + 1) in unsent:
            count += 1
        if data["seq"] <= number or data["receiver_seq"] != count + 1:
            yield Violation(
                Breach.DISORDER,
                f"{receiver}: {about} number {data['seq']} ({data['receiver_seq']}) came after {number} ({count})",
            )
        latest[about] = (data["seq"], data["receiver_seq"])


def _topic_of(data: Any) -> str | None:
    """Return the topic of an event besides its training: incidents, the clock and receivers have their own numbers."""
    if data["incident"]:
        return "clock" if data["incident"]["kind"] == Kind.CLOCK_SKEW else "incident"
    return (data.get("receiver") or {}).get("name")


def _first_arrivals(received: Sequence[Received]) -> Iterator[Any]:
    first = {item.webhook_id: item for item in reversed(received)}
    for identity in dict.fromkeys(item.webhook_id for item in received):
        yield from first[identity].events


def repeats(received: Iterable[Received]) -> int:
    """Return the number of arrivals with a repeated id."""
    items = list(received)
    return len(items) - len({item.webhook_id for item in items})


def slowest_seconds(evidence: Evidence) -> float:
    """Return the longest time from an event's record to its first arrival at any receiver."""
    recorded = {announced.event.id: announced.event.recorded_at for announced in evidence.announced}
    slowest = 0.0
    for received in evidence.received.values():
        first: dict[str, datetime] = {}
        for item in received:
            for data in item.events:
                first.setdefault(data["id"], item.at)
        waits = [(at - recorded[event]).total_seconds() for event, at in first.items() if event in recorded]
        slowest = max([slowest, *waits])
    return slowest
