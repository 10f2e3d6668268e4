"""Read the overview: the status, the latest results of each service and type, and the receivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Final

from watcher.config import Config
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import NEEDS_OPERATOR, OPEN_STATES, State
from watcher.core.durations.current_run import Bounds
from watcher.core.durations.past_runs import Outcome
from watcher.core.event import INCIDENT_KINDS, Kind
from watcher.core.health.problems import DaemonHealth
from watcher.core.polling.plan import Poll
from watcher.core.timestamps import to_text
from watcher.core.training.absence import Missing
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.reading.status import StorePlace, read_status, without_store
from watcher.reading.trainings import planned
from watcher.reports.overview import (
    OpenKind,
    OpenProblem,
    Overview,
    ReceiverRow,
    ServiceRow,
    TypeResults,
    failed_problem,
    stuck_problem,
)
from watcher.reports.status import KnownTraining, StatusReport
from watcher.reports.trainings import Selection, service_names
from watcher.store.delivery.views import last_delivered
from watcher.store.errors import StoreLost
from watcher.store.runs.history import last_good
from watcher.store.runs.latest import (
    TypeRef,
    failures_since,
    last_completed,
    latest_ends,
    latest_results,
    types_with_runs,
)
from watcher.store.views import EventHistory, HistoryFilter, QueueState, Views

MOST_IN_PROGRESS: Final = 200
RESULTS: Final = 10
"""Results of a type that a row shows."""
ENDS: Final = 50
"""The latest ends; a filter leaves some of them."""
ROWS: Final = 24
"""Services whose results are read: as many rows as the page shows."""
WITH_EVENT: Final = 10
"""Problems of each kind whose event is read: as many as the page shows."""
LATEST: Final = 5
"""The latest events about a problem: one of them reported it."""
_REPORTED_BY: Final = MappingProxyType(
    {OpenKind.FAILED: Kind.FAILED, OpenKind.STUCK: Kind.STUCK, OpenKind.OVERDUE: Kind.OVERDUE}
)
_RANKS: Final = MappingProxyType({kind: rank for rank, kind in enumerate(OpenKind)})


def read_overview(  # noqa: PLR0913 - the parts of one report
    config: Config,
    views: Views,
    daemon: DaemonHealth,
    place: StorePlace,
    now: datetime,
    *,
    faulty: bool = False,
) -> Overview:
    """Read everything that the overview shows.

    Args:
        config: the active configuration.
        views: the store.
        daemon: the daemon's answer about itself.
        place: the file of the store.
        now: the present, UTC.
        faulty: whether the file is faulty, see ``read_status``.
    """
    selection = Selection(in_progress=True, limit=MOST_IN_PROGRESS)
    states = views.polls()
    status = read_status(config, views, states, daemon, selection, place=place, now=now, faulty=faulty)
    runs = types_with_runs(views.connection)
    types = _watched_types(status, runs)
    failed = [of for of, has_failed in runs.items() if has_failed and of.service_ref in types]
    problems = sorted(_problems(views, status, failed), key=lambda item: (_RANKS[item.kind], item.since))
    problems = list(_with_events(views, problems))
    names = _names(polled.poll for polled in status.polls)
    return Overview(
        status=status,
        names=names,
        problems=problems,
        services=_services(views, status, (types, problems), names),
        receivers=_receivers(config, status.queues, status.failing_receivers),
        ends=latest_ends(views.connection, ENDS),
        silences=status.silences,
        outage_events=_outage_events(views, status),
    )


def overview_without_store(config: Config, daemon: DaemonHealth, error: StoreLost, now: datetime) -> Overview:
    """Return the overview of a daemon whose store is no longer at its place."""
    status = without_store(config, daemon, error, now)
    return Overview(status=status, names=_names(planned(config)), problems=(), services=(), receivers=(), ends=())


def read_receivers(config: Config, views: Views) -> list[ReceiverRow]:
    """Read each receiver with its last delivery, and with those that wait for it."""
    rows = _receivers(config, views.queues(), views.failing_receivers())
    times = last_delivered(views.connection, (row.name for row in rows if row.delivered))
    return [replace(row, last_delivered=times.get(row.name)) for row in rows]


def _watched_types(status: StatusReport, types: Iterable[TypeRef]) -> dict[ServiceRef, list[TypeRef]]:
    """Return each service that is watched, with those of these types that are its own."""
    found: dict[ServiceRef, list[TypeRef]] = {
        polled.poll.service: [] for polled in status.polls if not polled.poll.discovers
    }
    for of in types:
        if (own := found.get(of.service_ref)) is not None:
            own.append(of)
    return found


def _problems(views: Views, status: StatusReport, failed: Iterable[TypeRef]) -> Iterator[OpenProblem]:
    yield from (found for of in failed if (found := failure_of(views, of)) is not None)
    yield from (stuck for training in status.trainings if (stuck := stuck_problem(training)) is not None)
    for item in status.overdue:
        yield from _absent(item)


def _absent(item: Retraining) -> Iterator[OpenProblem]:
    for missing in sorted(item.reported):
        last = _last(item, missing)
        yield OpenProblem(
            kind=OpenKind.OVERDUE,
            of=TypeRef(item.ref.account, item.ref.service, item.ref.type),
            version=None,
            status=missing.value,
            since=item.since if last is None else last.before,
            missing=missing,
            was_seen=last is not None,
        )


def _last(item: Retraining, missing: Missing) -> Bounds | None:
    if missing is Missing.START:
        return item.latest_start
    return None if item.last_good is None else item.last_good.ended


def failure_of(views: Views, of: TypeRef) -> OpenProblem | None:
    """Return the problem of a type whose latest run failed; ``None`` for any other."""
    latest = latest_results(views.connection, of, 1)
    if not latest or latest[0].outcome is not Outcome.FAILED:
        return None
    good = last_completed(views.connection, of)
    since = "" if good is None else to_text(good.ended.before)
    found = "" if good is not None else _found_good(views, of)
    return failed_problem(of, latest[0], good, failures_since(views.connection, of, since), found)


def _found_good(views: Views, of: TypeRef) -> str:
    known = last_good(views.connection, TrainingRef(of.account, of.service, of.type, ""))
    return "" if known is None else known.version


def _with_events(views: Views, problems: Iterable[OpenProblem]) -> Iterator[OpenProblem]:
    """Yield the problems; the first of each kind have their events."""
    for _, same in groupby(problems, key=lambda item: item.kind):
        for number, item in enumerate(same):
            yield _with_event(views, item) if number < WITH_EVENT else item


def _with_event(views: Views, problem: OpenProblem) -> OpenProblem:
    """Add the event that reported a problem: it has who was notified."""
    of = problem.of
    retraining = RetrainingRef(of.account, of.service, of.type).subject
    subject = retraining if problem.ref is None else problem.ref.subject
    wanted = HistoryFilter(subject=subject, kinds=frozenset({_REPORTED_BY[problem.kind]}), limit=LATEST)
    found = [item for item in views.history(wanted) if _is_about(problem, item)]
    return replace(problem, event=found[-1] if found else None)


def _is_about(problem: OpenProblem, item: EventHistory) -> bool:
    """Say whether an event reported a problem: a missing start and a missing completion have one subject."""
    overdue = item.event.overdue
    return overdue is None or overdue.missing is problem.missing


def _latest_event(views: Views, subject: str, kinds: frozenset[str]) -> EventHistory | None:
    return next(iter(views.history(HistoryFilter(subject=subject, kinds=kinds, limit=1))), None)


def _outage_events(views: Views, status: StatusReport) -> Mapping[str, EventHistory]:
    kinds = frozenset(kind.value for kind in INCIDENT_KINDS - {Kind.RECOVERED})
    found = {item.id: _latest_event(views, item.subject, kinds) for item in status.incidents[:WITH_EVENT]}
    since = {item.id: item.since for item in status.incidents}
    return {key: item for key, item in found.items() if item is not None and item.event.recorded_at >= since[key]}


def with_results(views: Views, rows: Iterable[ServiceRow]) -> list[ServiceRow]:
    """Return rows with the latest results of each type."""
    return [replace(row, types=[_with_results(views, item) for item in row.types]) for row in rows]


def _with_results(views: Views, item: TypeResults) -> TypeResults:
    return replace(item, results=latest_results(views.connection, item.of, RESULTS))


def _services(
    views: Views,
    status: StatusReport,
    known: tuple[Mapping[ServiceRef, Sequence[TypeRef]], Sequence[OpenProblem]],
    names: Mapping[ServiceRef, str],
) -> list[ServiceRow]:
    by_type = {item.of: item for item in reversed(known[1])}
    busy = _in_progress(status)
    types = dict(known[0])
    for of in (*busy, *by_type):
        own = types.get(of.service_ref, ())
        if of not in own:
            types[of.service_ref] = [*own, of]
    failing, running = {of.service_ref for of in by_type}, {of.service_ref for of in busy}

    def place(service: ServiceRef) -> tuple[bool, bool, str]:
        return service not in failing, service not in running, names.get(service) or service.service

    polled_once = {polled.poll.service for polled in status.polls if not polled.untried}
    labels = {polled.poll.service: polled.poll.attributes.labels for polled in status.polls}
    return [
        ServiceRow(
            service=service,
            name=names.get(service),
            labels=labels.get(service, {}),
            untried=service in labels and service not in polled_once,
            types=[
                TypeResults(
                    of=of,
                    results=latest_results(views.connection, of, RESULTS) if number < ROWS else (),
                    in_progress=busy.get(of),
                    problem=by_type.get(of),
                )
                for of in sorted(types[service])
            ],
        )
        for number, service in enumerate(sorted(types, key=place))
    ]


def _in_progress(status: StatusReport) -> dict[TypeRef, KnownTraining]:
    found = (item for item in status.trainings if item.snapshot.run is not None)
    return {_type_of(item.snapshot.ref): item for item in found}


def _type_of(ref: TrainingRef) -> TypeRef:
    return TypeRef(ref.account, ref.service, ref.type)


def _receivers(config: Config, queues: Sequence[QueueState], states: Iterable[ReceiverState]) -> list[ReceiverRow]:
    failing = {item.name: item for item in states}
    # A removed receiver has a row, as long as somebody should look at it.
    left = [item.receiver for item in queues if item.state in {*OPEN_STATES, *NEEDS_OPERATOR}]
    return [
        _receiver(config, name, [item for item in queues if item.receiver == name], failing.get(name))
        for name in sorted({*config.receivers, *failing, *left})
    ]


def _receiver(config: Config, name: str, queues: Sequence[QueueState], failing: ReceiverState | None) -> ReceiverRow:
    settings = config.receivers.get(name)
    waiting = [item for item in queues if item.state in OPEN_STATES]
    return ReceiverRow(
        name=name,
        kind="" if settings is None else settings.kind,
        failing=failing,
        waiting=sum(item.count for item in waiting),
        dead=sum(item.count for item in queues if item.state in NEEDS_OPERATOR),
        dead_letters=sum(item.count for item in queues if item.state is State.DEAD),
        delivered=sum(item.count for item in queues if item.state is State.DELIVERED),
        oldest_waiting=min((item.oldest for item in waiting), default=None),
    )


def _names(polls: Iterable[Poll]) -> dict[ServiceRef, str]:
    return {service: min(found) for service, found in service_names(polls).items() if found}
