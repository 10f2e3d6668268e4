"""The lists of an account's services: a service that appears, goes or returns under a pattern is one event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from watcher.core.batch import IncidentRow
from watcher.core.event import Event, Kind
from watcher.core.polling.deviation import INCOMPLETE_SERVICES, deviations_in
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollOutcome, PollResult, PollState, hidden_by
from watcher.core.polling.service_event import ServiceFinding, service_event
from watcher.core.timestamps import to_text
from watcher.core.training.catch_up import OWN_GROUP
from watcher.core.training.model import ServiceRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.confirm import Record
from watcher.pipeline.polling.decider import MANY, Decider
from watcher.pipeline.polling.discovery import Discovery
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.poll_changes import Changes, ServiceChanges
from watcher.pipeline.polling.targets import PollContext, PollTarget, PollTargets
from watcher.pipeline.ports import Api, Clock, ServiceInfo, ServicesResult

log = structlog.get_logger()

LISTS_FOR_GONE: Final = 2
"""Lists in a row without a service after which it is gone, where AiTEMS answers a 404 for its own list."""
MISSING_AT_MOST: Final = timedelta(hours=24)
"""The time without a service in the lists after which it is gone although its own list fails in another way.

No incident stays for ever. Only lists that show other services count, while the account has no incident.
"""
LISTS_A_POLL: Final = 20
"""So many of the missing services are asked for after one list of services; the next lists bring the others."""


class ServiceLists:
    """Starts and ends the polls of services that patterns watch.

    Args:
        decider: decides on the answers to list polls.
        discovery: the known services.
        record: records decisions.
        cache: the state in memory.
        incident_monitor: the incident trackers.
        targets: all targets.
        clock: the machine's clocks.
        on_found: gets the target of the list poll of a service that has none yet.
        on_gone: gets the key of a poll that ends.
    """

    def __init__(  # noqa: PLR0913 - wired once, by the poll runner
        self,
        decider: Decider,
        discovery: Discovery,
        record: Record,
        *,
        cache: PollCache,
        incident_monitor: IncidentMonitor,
        targets: PollTargets,
        clock: Clock,
        on_found: Callable[[PollTarget], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._decider = decider
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._discovery = discovery
        self._targets = targets
        self._record = record
        self._clock = clock
        self._on_found = on_found
        self._on_gone = on_gone
        self._asked_at: dict[ServiceRef, float] = {}
        """The latest call for the list of a missing service, in monotonic seconds."""

    def decide(self, context: PollContext, services: ServicesResult) -> Changes:
        """Decide on a list of services: those that an earlier list lacked are new, or back."""
        changes = self._decider.answered(context, as_result(services))
        earlier = self._cache.poll(context.poll.key).good_asked_at
        states: list[PollState] = []
        findings: list[ServiceFinding] = []
        for service in services.services:
            key = service.ref.subject
            if self._cache.has_poll(key) or self._discovery.has_watch(service.ref):
                states += self._renamed(key, service)
                continue
            poll = self._discovery.poll_of(service.ref)
            is_new = earlier is not None and poll is not None
            # The list that lacked the service is as good as an empty list of its trainings: they are new, too.
            states.append(PollState(key=key, good_asked_at=earlier if is_new else None, name=service.name))
            if earlier is not None and poll is not None:
                kind = Kind.BACK if self._cache.incident_row(service.ref.presence_subject).seq else Kind.APPEARED
                late = earlier < context.polling_since
                attributes = replace(poll.attributes, name=poll.attributes.name or service.name)
                findings.append(
                    ServiceFinding(
                        kind=kind,
                        service=service.ref,
                        attributes=attributes,
                        after=earlier,
                        before=services.answered_at,
                        late=late,
                    )
                )
        return replace(changes, services=self._changes(findings, states))

    def _renamed(self, key: str, service: ServiceInfo) -> Iterator[PollState]:
        """Yield the state of a poll whose service has another name than before."""
        before = self._cache.poll(key)
        if self._cache.has_poll(key) and service.name is not None and service.name != before.name:
            yield replace(before, name=service.name)

    async def follow(self, api: Api, target: PollTarget, services: ServicesResult, changes: Changes) -> None:
        """Start the polls of found services, and end those of services that are gone."""
        back = {event.service for event in changes.services.events if event.kind is Kind.BACK}
        missing = self._discovery.note(target.poll.service.account, services)
        for poll in (self._discovery.poll_of(service.ref) for service in services.services):
            if poll is not None and self._targets.get(poll.key) is None:
                is_back = poll.service.service in back
                since = self._clock.utc_now() if is_back else target.polling_since
                self._on_found(PollTarget(poll=poll, polling_since=since, service_was_gone=is_back))
            elif poll is not None and self._targets.rename(poll):
                self._incident_monitor.rename(poll)
        target.hurried = bool(missing)
        await self._check(
            api, target, services, [ref for ref in missing if self._discovery.missed(ref) >= LISTS_FOR_GONE]
        )

    async def _check(
        self, api: Api, target: PollTarget, services: ServicesResult, missing: Sequence[ServiceRef]
    ) -> None:
        """Ask for services that two lists in a row lack: a list that is empty or cut short makes none gone.

        While the account has an incident, only its own polls ask, one at a time.
        """
        if self._incident_monitor.account_incident(target.poll.service.account) is not None:
            return
        in_turn = sorted(missing, key=lambda ref: self._asked_at.get(ref, 0.0))[:LISTS_A_POLL]
        outcomes = {ref: await self._list(api, ref) for ref in in_turn}
        gone = [ref for ref, outcome in outcomes.items() if self._is_gone(ref, outcome, services)]
        may_be_hidden = hidden_by(services.unreadable)
        if any(isinstance(item, PollResult) and not may_be_hidden(ref.service) for ref, item in outcomes.items()):
            await self._record(target, partial(self._incomplete, services=services))
        if gone:
            await self._end(target, services, gone)
            target.hurried = len(gone) < len(missing)

    async def _list(self, api: Api, ref: ServiceRef) -> PollOutcome:
        self._asked_at[ref] = self._clock.monotonic()
        return await api.list(ref)

    def _was_seen(self, ref: ServiceRef) -> bool:
        return self._discovery.was_listed(ref) or self._cache.poll(ref.subject).good_asked_at is not None

    def _is_gone(self, ref: ServiceRef, outcome: PollOutcome, services: ServicesResult) -> bool:
        """Return whether a missing service is gone; a 401, 403, 5xx or a gateway's 404 may be part of an outage."""
        if isinstance(outcome, PollResult):
            return False
        missing_since = self._discovery.missing_since(ref) or services.asked_at
        is_long = bool(services.services) and services.asked_at - missing_since >= MISSING_AT_MOST
        return outcome.cause is Cause.NOT_FOUND or is_long

    def _incomplete(self, context: PollContext, services: ServicesResult) -> Changes:
        result = replace(as_result(services), deviations=(INCOMPLETE_SERVICES,), unreadable=())
        return Changes(deviations=deviations_in(result, self._cache.deviations, context.poll.key))

    async def _end(self, target: PollTarget, services: ServicesResult, refs: Sequence[ServiceRef]) -> None:
        changes = await self._record(target, partial(self._ended, refs=refs, services=services))
        if not changes.services.forgotten:
            return
        for ref in refs:
            self._asked_at.pop(ref, None)
            self._discovery.forget(ref)
            self._incident_monitor.forget(ref)
            self._on_gone(ref.subject)

    def _ended(self, context: PollContext, refs: Sequence[ServiceRef], services: ServicesResult) -> Changes:
        """Decide that services are gone: one event each, and the end of their polls and incidents.

        An end that still awaits its confirmation is announced as unconfirmed, as no poll will confirm it.
        """
        polls = {ref: poll for ref in refs if (poll := self._discovery.poll_of(ref)) is not None}
        findings = [self._gone(context, ref, poll, services) for ref, poll in polls.items() if self._was_seen(ref)]
        contexts = [PollContext(poll=poll, polling_since=context.polling_since) for poll in polls.values()]
        return Changes(
            decisions=[decision for own in contexts for decision in self._decider.left(own)],
            incidents=self._incident_monitor.ended(polls),
            services=self._changes(findings, (), tuple(ref.subject for ref in polls)),
        )

    def _gone(self, context: PollContext, ref: ServiceRef, poll: Poll, services: ServicesResult) -> ServiceFinding:
        times = (self._cache.poll(ref.subject).good_asked_at, self._discovery.listed_at(ref))
        after = max((time for time in times if time is not None), default=services.asked_at)
        return ServiceFinding(
            kind=Kind.GONE,
            service=ref,
            attributes=poll.attributes,
            after=after,
            before=services.answered_at,
            late=after < context.polling_since,
        )

    def _changes(
        self, findings: Sequence[ServiceFinding], states: Iterable[PollState], forgotten: tuple[str, ...] = ()
    ) -> ServiceChanges:
        now = self._clock.utc_now()
        events: list[Event] = []
        count_of = Counter(finding.kind for finding in findings)
        for finding in findings:
            many = count_of[finding.kind] >= MANY
            group = f"{OWN_GROUP} services {finding.kind.value} {to_text(now)}" if many else None
            seq = self._cache.incident_row(finding.service.presence_subject).seq + 1
            events.append(service_event(finding, self._cache.epoch, seq, now, group))
        # The number of the latest event is kept in the row of an incident that never opens.
        rows = tuple(IncidentRow(subject=event.subject, seq=event.seq, incident=None) for event in events)
        return ServiceChanges(events=tuple(events), incident_rows=rows, states=tuple(states), forgotten=forgotten)


def as_result(services: ServicesResult) -> PollResult:
    """Return a list of services as the result of a poll."""
    return PollResult(
        shown=(),
        asked_at=services.asked_at,
        answered_at=services.answered_at,
        digest=services.digest,
        deviations=services.deviations,
        unreadable=services.unreadable,
        server_date=services.server_date,
    )
