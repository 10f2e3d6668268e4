"""Records the changes that a result makes: in the store, in the cache, and in the incident trackers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from watcher.core.batch import Batch, NotSavedError
from watcher.core.event import Event
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.training.decision import Decision
from watcher.core.training.model import Snapshot
from watcher.core.usability.decision import with_result
from watcher.pipeline.polling.account_writer import AccountWriter
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.poll_changes import Changes
from watcher.pipeline.polling.runs.comparer import RunComparer
from watcher.pipeline.polling.runs.overdue import changed_retrainings

log = structlog.get_logger()


class Recorder:
    """Decides and records in the order of an account's results.

    Args:
        cache: the state in memory.
        incident_monitor: the incident trackers.
        comparer: compares runs with earlier ones.
        writer: keeps the order, and retries.
        on_events: called after events were recorded.
    """

    def __init__(
        self,
        cache: PollCache,
        incident_monitor: IncidentMonitor,
        comparer: RunComparer,
        writer: AccountWriter,
        on_events: Callable[[], None],
    ) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._comparer = comparer
        self._writer = writer
        self._on_events = on_events

    async def record(self, poll: Poll, decide: Callable[[], Changes]) -> Changes:
        """Decide in the account's turn and record the changes; return them.

        Raises:
            NotSavedError: the store cannot be used, and the writer does not wait for it.
        """

        async def decide_and_write() -> Changes:
            changes = decide()
            changes = replace(changes, decisions=await self._comparer.complete(changes.decisions))
            await self._write(poll, changes)
            await self._record_deviations(poll, changes.deviations)
            return changes

        return await self._writer.run(poll.service.account, decide_and_write)

    async def _write(self, poll: Poll, changes: Changes) -> None:
        """Commit the changes that a restart must know; leave the rest to the next flush."""
        urgent: list[Decision] = []
        light: list[Snapshot] = []
        for decision in map(with_result, changes.decisions):
            if self._is_urgent(decision):
                urgent.append(decision)
            else:
                light.append(decision.snapshot)
        news = (changes.incidents.changes, changes.services, changes.ended_views, changes.absences, changes.updates)
        if urgent or any(news):
            await self._commit(poll, urgent, changes)
        self._cache.note(light, _states(changes))

    async def _commit(self, poll: Poll, decisions: list[Decision], changes: Changes) -> None:
        update, services, updates = changes.incidents, changes.services, changes.updates
        changed = (event for decision in decisions for event in (decision.event, decision.fast) if event)
        own = (*changed, *changes.absences.events, *updates.events)
        events = (*own, *services.events, *update.events)
        batch = Batch(
            snapshots=(*(decision.snapshot for decision in decisions), *updates.snapshots),
            events=events,
            polls=(*services.states, *_states(changes)),
            incident_rows=(*services.incident_rows, *update.incident_rows),
            runs=tuple(decision.ended_run for decision in decisions if decision.ended_run),
            retrainings=(*changed_retrainings(self._cache, decisions, changes.absences), *updates.retrainings),
            forgotten_polls=(*services.forgotten, *changes.ended_views),
        )
        await self._cache.commit(batch)
        self._incident_monitor.apply(poll, update)
        _log_events(events)
        if events:
            self._on_events()

    async def _record_deviations(self, poll: Poll, deviations: tuple[Deviation, ...]) -> None:
        if not deviations:
            return
        try:
            await self._cache.commit(Batch(deviations=deviations))
        except NotSavedError as error:
            # The result itself is recorded. A retry would count it as a second one, so the next result brings these.
            log.debug("contract.deviation_not_saved", poll=poll.key, reason=str(error))
            return
        for deviation in deviations:
            log.warning("contract.deviation", description=deviation.description, poll=deviation.poll)

    def _is_urgent(self, decision: Decision) -> bool:
        known, new = self._cache.training(decision.snapshot.ref), decision.snapshot
        if known is None or decision.event is not None:
            return True
        return (known.status, known.pending, known.absent) != (new.status, new.pending, new.absent)


def _states(changes: Changes) -> tuple[PollState, ...]:
    return changes.view_states if changes.state is None else (changes.state, *changes.view_states)


def _log_events(events: Iterable[Event]) -> None:
    for event in events:
        keys = {"subject": event.subject, "event_id": event.id, "kind": event.kind, "reason": event.reason}
        if event.incident is None and event.version is None:
            log.info("service.changed", **keys, late=event.late)
        elif event.incident is None:
            change = {"known": event.from_status, "seen": event.to_status, "late": event.late}
            log.info("training.changed", **keys, **change)
        else:
            log.warning("incident.changed", **keys, cause=event.incident.cause, detail=event.incident.detail)
