"""From the updates of a service to the changes to record. It reads the cache, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Event
from watcher.core.polling.overdue_event import overdue_event
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollResult
from watcher.core.timestamps import read_date
from watcher.core.training.absence import Missing
from watcher.core.training.decision import DecisionContext
from watcher.core.training.model import Phase, ServiceRef, Snapshot, TrainingRef, phase_of
from watcher.core.training.overdue import overdue_at, reported
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.decision import UpdateDecision, UpdateTimes, decide_updates, update_phase
from watcher.core.updates.result import UpdateList
from watcher.core.updates.schedule import ServiceSchedule
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.runs.overdue import may_have_changed, surely_asked_at
from watcher.pipeline.polling.targets import PollContext

_FIRST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateChanges:
    """The changes to completed trainings, beside those of their status."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[Event, ...] = ()
    retrainings: tuple[Retraining, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.snapshots or self.events or self.retrainings)


NO_UPDATES: Final = UpdateChanges()


def updates_key(service: ServiceRef) -> str:
    """Return the key of the calls about the updates of a service, as of a poll of its own."""
    return f"updates {service.subject}"


def updated_trainings(cache: PollCache, poll: Poll) -> list[TrainingRef]:
    """Return the trainings whose updates count: the newest completed one of each type, and those that go on."""
    newest: dict[str, Snapshot] = {}
    going_on: set[TrainingRef] = set()
    for ref, snapshot in cache.known(poll).items():
        if snapshot.gone or phase_of(snapshot.status or "") is not Phase.SUCCEEDED:
            continue
        known = newest.get(ref.type)
        if known is None or _age_key(snapshot) > _age_key(known):
            newest[ref.type] = snapshot
        if snapshot.updates is not None and Phase.IN_PROGRESS in map(update_phase, snapshot.updates.statuses.values()):
            going_on.add(ref)
    return sorted({snapshot.ref for snapshot in newest.values()} | going_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswers:
    """The answers about the updates of a service."""

    listed: PollResult
    """The list of its trainings before them."""
    schedule: ServiceSchedule
    lists: Sequence[UpdateList] = ()
    """The lists of updates of its trainings."""


def update_changes(cache: PollCache, context: PollContext, answers: ServiceAnswers, now: datetime) -> UpdateChanges:
    """Return the changes that the answers about the updates of a service make.

    Args:
        cache: the state in memory.
        context: the poll of the service.
        answers: the answers.
        now: the present, UTC.
    """
    after = cache.poll(updates_key(context.poll.service)).good_asked_at
    decided = [
        (item, _decided(cache, context, snapshot, item, UpdateTimes(after=after, before=item.answered_at, now=now)))
        for item in answers.lists
        if (snapshot := cache.training(item.training)) is not None
    ]
    states = _retrainings(cache, context.poll, answers.schedule, decided, after)
    overdue = [_with_absence(cache, context.poll, answers, state, now) for state in states]
    return UpdateChanges(
        snapshots=tuple(new for _, decision in decided if (new := decision.snapshot) != cache.training(new.ref)),
        events=(
            *(event for _, decision in decided for event in decision.events),
            *(event for _, event in overdue if event),
        ),
        retrainings=tuple(
            state for state, _ in overdue if state != cache.retrainings(context.poll.service).get(state.ref)
        ),
    )


def awaits_updates(cache: PollCache, poll: Poll, listed: PollResult) -> bool:
    """Return whether only a list of updates can say now that a retraining is overdue."""
    rules, time = poll.attributes.retraining_rules, surely_asked_at(listed)
    states = (state for state in cache.retrainings(poll.service).values() if state.cycle is not None)
    return any(item.missing is Missing.START for state in states for item in overdue_at(state, rules, time))


def _with_absence(
    cache: PollCache, poll: Poll, answers: ServiceAnswers, state: Retraining, now: datetime
) -> tuple[Retraining, Event | None]:
    """Return a retraining with a cycle, and the event that it is overdue, where no answer shows a start in time."""
    own = [item for item in answers.lists if RetrainingRef.of(item.training) == state.ref]
    if state.cycle is None or not own or any(item.unreadable for item in own):
        return state, None
    time = min(surely_asked_at(answers.listed), *(surely_asked_at(item) for item in own))
    facts = overdue_at(state, poll.attributes.retraining_rules, time)
    late = next((item for item in facts if item.missing is Missing.START), None)
    if late is None or may_have_changed(cache, poll, answers.listed, (), state.ref):
        return state, None
    state = reported(state, late)
    asked_at = min(item.asked_at for item in own)
    return state, overdue_event(state, late, poll.attributes, cache.epoch, asked_at=asked_at, now=now)


def _age_key(snapshot: Snapshot) -> tuple[datetime, datetime]:
    # ``createdDate`` has the same zone, whichever it is, for all trainings.
    created = read_date(snapshot.record.get("createdDate"), UTC)
    return created or _FIRST, snapshot.changed_before or snapshot.first_seen_at


def _decided(
    cache: PollCache, context: PollContext, snapshot: Snapshot, item: UpdateList, times: UpdateTimes
) -> UpdateDecision:
    return decide_updates(snapshot, item.shown, attributes_context(cache, context, item.training), times)


def attributes_context(cache: PollCache, context: PollContext, ref: TrainingRef) -> DecisionContext:
    """Return the context of a decision about a training whose status does not change."""
    attributes = context.poll.attributes_of(ref)
    return DecisionContext(
        epoch=cache.epoch,
        polling_since=context.polling_since,
        service_name=attributes.name,
        labels=attributes.labels,
        links=attributes.links_of(context.poll.service, ref),
    )


def _retrainings(
    cache: PollCache,
    poll: Poll,
    schedule: ServiceSchedule,
    decided: Sequence[tuple[UpdateList, UpdateDecision]],
    after: datetime | None,
) -> Iterable[Retraining]:
    for ref, known in cache.retrainings(poll.service).items():
        own = [pair for pair in decided if RetrainingRef.of(pair[0].training) == ref]
        yield _after_updates(known, schedule, own, after)


def _after_updates(
    state: Retraining,
    schedule: ServiceSchedule,
    own: Sequence[tuple[UpdateList, UpdateDecision]],
    after: datetime | None,
) -> Retraining:
    """Return a retraining after lists of its updates: with the present cycle, and the latest start."""
    period, known = schedule.cycle, state.cycle
    if period is None:
        return replace(state, cycle=None)
    # A type without any update may be one that the cycle leaves out.
    if not own or (known is None and not any(item.shown for item, _ in own)):
        return state
    started = next((item for item, decision in own if decision.has_started), None)
    is_same = known is not None and known.period == period
    cycle = Cycle(
        period=period,
        since=known.since if known is not None and is_same else own[0][0].asked_at,
        last_update=None if known is None else known.last_update,
    )
    if started is None or after is None:
        return replace(state, cycle=cycle)
    bounds = Bounds(after=min(after, started.answered_at), before=started.answered_at)
    return replace(state, cycle=replace(cycle, last_update=bounds), reported=state.reported - {Missing.START})
