"""One checker for every fault test: nothing lost, nothing told under two ids, nothing out of order.

It compares three witnesses: what the API showed to living daemons, what the store recorded, what arrived.
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
from watcher.core.delivery.model import OPEN_STATES, State
from watcher.core.event import Event, Kind, event_id
from watcher.core.training.model import TrainingRef
from watcher.store.views import EventHistory

RECORDING: Final = timedelta(seconds=1)
"""An answer counts as seen when its daemon lived so much longer."""

Subject = tuple[str, str, str]


class Breach(StrEnum):
    """What kind of promise is broken."""

    LOST = "lost"
    SECOND_ID = "second-id"
    DISORDER = "disorder"
    UNTRUE = "untrue"
    """The record is not what was shown, or contradicts itself."""


class Violation(NamedTuple):
    """One broken promise, in words."""

    breach: Breach
    text: str


class Entry(NamedTuple):
    """One entry of the ledger, as the file has it."""

    event_id: str
    receiver: str
    delivery_id: str
    ending: str | None


@dataclass(frozen=True, slots=True)
class Life:
    """One daemon's life, from its start to its end."""

    born: datetime
    died: datetime
    half_sent: frozenset[str] | None = None
    """The deliveries that it was sending when it died; ``None`` where nobody looked."""

    def surely_saw(self, moment: datetime) -> bool:
        """Say whether an answer of this moment was taken in."""
        # On virtual time one may die by an answer and the next be born in the same moment: it was the dead one's.
        return self.born < moment <= self.died - RECORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the checker compares."""

    shown: Sequence[ShownAnswer]
    lives: Sequence[Life]
    announced: Sequence[EventHistory]
    received: Mapping[str, Sequence[Received]]
    """What each webhook receiver got, in the order of arrival."""
    epoch: str | None = None
    ledger: Sequence[Entry] | None = None
    """``None`` where the test cannot read the file itself."""
    routed: Callable[[Event], frozenset[str]] | None = None
    """The receivers that an event's route names; ``None`` where the test does not say."""
    witnessed: bool = True
    """Whether the answers can be compared; not after a step of the wall clock, nor on a line that spoils them."""
    patience: timedelta = RECORDING
    """How long after the second answer of a run its record may come: on a starved machine answers are taken in late."""


def violations(evidence: Evidence) -> list[str]:
    """Return every broken promise, in words; the row of the test that runs counts them."""
    found = list(_violations(evidence))
    _count(evidence, found)
    return [violation.text for violation in found]


def _count(evidence: Evidence, found: Sequence[Violation]) -> None:
    row = TALLY.current
    if row is None:
        return
    row.judged = True
    row.events += len(evidence.announced)
    delivery_outcomes = [
        delivery_outcome for announced in evidence.announced for delivery_outcome in announced.delivery_outcomes
    ]
    row.delivered += sum(delivery_outcome.state is State.DELIVERED for delivery_outcome in delivery_outcomes)
    row.lost += sum(violation.breach is Breach.LOST for violation in found)
    row.second_ids += sum(violation.breach is Breach.SECOND_ID for violation in found)
    row.repeats += sum(repeats(received) for received in evidence.received.values())
    if evidence.witnessed:
        row.slowest_seconds = max(row.slowest_seconds, slowest_seconds(evidence))


def _violations(evidence: Evidence) -> list[Violation]:
    events = [announced.event for announced in evidence.announced]
    moves = [event for event in events if event.version is not None and _is_transition(event)]
    return [
        *_gaps(events),
        *_broken_chains(moves),
        *_wrong_ids(events, evidence.epoch),
        *(_lost_runs(evidence, moves) if evidence.witnessed else ()),
        *(_sample_event(evidence.shown, moves) if evidence.witnessed else ()),
        *_open_ends(evidence.announced),
        *_ledger_faults(evidence),
        *_arrival_faults(evidence),
    ]


def _is_transition(event: Event) -> bool:
    return event.incident is None and event.kind not in {Kind.GONE, Kind.BACK}


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


def _broken_chains(moves: Iterable[Event]) -> Iterator[Violation]:
    for subject, chain in _by_subject(moves).items():
        for event in chain:
            if event.from_status == event.to_status or event.after > event.before:
                yield Violation(Breach.UNTRUE, f"{event.short_id}: no change, or bounds turned round")
        for earlier, later in itertools.pairwise(chain):
            if earlier.to_status != later.from_status:
                yield Violation(
                    Breach.UNTRUE, f"{subject}: {earlier.to_status} is followed by a move from {later.from_status}"
                )


def _wrong_ids(events: Sequence[Event], epoch: str | None) -> Iterator[Violation]:
    if len({event.id for event in events}) != len(events):
        yield Violation(Breach.SECOND_ID, "two events have one id")
    for event in events:
        if event.kind is Kind.STORE_FAILING:
            # Told before it is recorded, and so named by its time, too.
            continue
        if epoch is not None and event.id != event_id(epoch, event.subject, event.seq):
            yield Violation(Breach.SECOND_ID, f"{event.short_id}: not the id of {event.subject} number {event.seq}")


def _lost_runs(evidence: Evidence, events: Sequence[Event]) -> Iterator[Violation]:
    """After two answers in a row with one word, in one life, that word must be the recorded one."""
    chains = _by_subject(events)
    for subject, answers in _answers_by_subject(evidence.shown).items():
        baseline = _possible_baselines(answers, evidence.lives)
        for first, second in itertools.pairwise(answers):
            if first.status != second.status or not _in_one_life(first, second, evidence.lives):
                continue
            known = _recorded_about(chains.get(_subject_key(subject), []), second.at, baseline, evidence.patience)
            if second.status not in known:
                yield Violation(
                    Breach.LOST, f"{subject}: {second.status} was shown twice by {second.at}, recorded is {known}"
                )


def _answers_by_subject(shown: Iterable[ShownAnswer]) -> dict[Subject, list[ShownAnswer]]:
    groups: dict[Subject, list[ShownAnswer]] = defaultdict(list)
    for answer in shown:
        groups[answer.subject].append(answer)
    return groups


def _in_one_life(first: ShownAnswer, second: ShownAnswer, lives: Iterable[Life]) -> bool:
    return any(life.surely_saw(first.at) and life.surely_saw(second.at) for life in lives)


def _possible_baselines(answers: Iterable[ShownAnswer], lives: Sequence[Life]) -> set[str | None]:
    """Return the words that may be a training's first recorded one where no event says it.

    What a life was shown just before its end may have been recorded, and may not.
    """
    words: set[str | None] = set()
    for answer in answers:
        words.add(answer.status)
        if any(life.surely_saw(answer.at) for life in lives):
            break
    return words


def _recorded_about(
    chain: Sequence[Event], moment: datetime, baselines: set[str | None], patience: timedelta
) -> set[str | None]:
    """Return the words that were recorded at this moment or soon after it."""
    first = {chain[0].from_status} if chain and chain[0].from_status is not None else baselines
    before = [event.to_status for event in chain if event.recorded_at <= moment]
    soon = {event.to_status for event in chain if moment < event.recorded_at <= moment + patience}
    return ({before[-1]} if before else first) | soon


def _subject_key(subject: Subject) -> str:
    return TrainingRef("main", *subject).subject


def _sample_event(shown: Sequence[ShownAnswer], events: Iterable[Event]) -> Iterator[Violation]:
    """Every event's word was really shown within its bounds."""
    answers = _answers_by_subject(shown)
    for event in events:
        subject = (event.service or "", event.training_type or "", event.version or "")
        words = {answer.status for answer in answers.get(subject, []) if event.after <= answer.at <= event.before}
        if event.to_status not in words:
            yield Violation(
                Breach.UNTRUE,
                f"{event.short_id}: {event.to_status} was not shown between {event.after} and {event.before}",
            )


def _open_ends(announced: Iterable[EventHistory]) -> Iterator[Violation]:
    for item in announced:
        if item.routed_at is None:
            yield Violation(Breach.LOST, f"{item.event.short_id}: never routed")
        for delivery_outcome in item.delivery_outcomes:
            if delivery_outcome.state in OPEN_STATES:
                yield Violation(
                    Breach.LOST, f"{item.event.short_id} to {delivery_outcome.receiver}: still {delivery_outcome.state}"
                )


def _ledger_faults(evidence: Evidence) -> Iterator[Violation]:
    """Exactly one entry that ends for each event and each receiver that its route names."""
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
            entered = {receiver for event, receiver in counts if event == announced.event.id}
            if entered != evidence.routed(announced.event):
                names = f"entered for {sorted(entered)}, its route names {sorted(evidence.routed(announced.event))}"
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
        states = {
            delivery_outcome.state
            for delivery_outcome in item.delivery_outcomes
            if delivery_outcome.receiver == receiver
        }
        known |= {item.event.id} if states else set()
        due |= {item.event.id} if states & {*OPEN_STATES, State.DELIVERED} else set()
        silenced |= {item.event.id} if State.SILENCED in states else set()
    if loud := silenced & arrived:
        yield Violation(Breach.UNTRUE, f"{receiver}: {len(loud)} arrived although silenced: {sorted(loud)}")
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


def _kept_back(receiver: str, arrived: Collection[str], announced: Iterable[EventHistory]) -> set[tuple[str, int]]:
    """Return the subjects and numbers of what ended without reaching a receiver."""
    return {
        (item.event.subject, delivery_outcome.receiver_seq)
        for item in announced
        if item.event.id not in arrived
        for delivery_outcome in item.delivery_outcomes
        if delivery_outcome.receiver == receiver and delivery_outcome.state not in {*OPEN_STATES, State.DELIVERED}
    }


def _out_of_order(
    receiver: str, received: Sequence[Received], announced: Sequence[EventHistory]
) -> Iterator[Violation]:
    subjects = {item.event.id: item.event.subject for item in announced}
    arrivals = list(_first_arrivals(received))
    kept_back = _kept_back(receiver, {data["id"] for data in arrivals}, announced)
    latest: dict[tuple[str | None, ...], tuple[int, int]] = {}
    for data in arrivals:
        about = (data["service"], data["training_type"], data["version"], _announced_of(data))
        number, count = latest.get(about, (0, 0))
        # What is kept back uses a number up, so that a consumer sees that it missed something.
        while (subjects.get(data["id"], ""), count + 1) in kept_back:
            count += 1
        if data["seq"] <= number or data["receiver_seq"] != count + 1:
            yield Violation(
                Breach.DISORDER,
                f"{receiver}: {about} number {data['seq']} ({data['receiver_seq']}) came after {number} ({count})",
            )
        latest[about] = (data["seq"], data["receiver_seq"])


def _announced_of(data: Any) -> str | None:
    """Return what an event tells of beside its training: not seeing, the clock and a receiver are numbered apart."""
    if data["incident"]:
        return "clock" if data["incident"]["kind"] == Kind.CLOCK_SKEW else "incident"
    return (data.get("receiver") or {}).get("name")


def _first_arrivals(received: Sequence[Received]) -> Iterator[Any]:
    first = {item.webhook_id: item for item in reversed(received)}
    for identity in dict.fromkeys(item.webhook_id for item in received):
        yield from first[identity].events


def repeats(received: Iterable[Received]) -> int:
    """Return how many arrivals were repeats of an id."""
    items = list(received)
    return len(items) - len({item.webhook_id for item in items})


def slowest_seconds(evidence: Evidence) -> float:
    """Return the longest from an event's record to its first arrival at any receiver that got it."""
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
