"""Reads the facts that ``status`` shows: the whole, one service, or one training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from watcher.cli.daemon_health import daemon_health, store_failing
from watcher.cli.store_access import reading, store_health

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth
    from watcher.core.health.readiness import NotReadyReason
    from watcher.core.polling.plan import Poll
    from watcher.core.polling.result import PollState
    from watcher.core.training.comparison import UsualFacts
    from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
    from watcher.core.training.run import EndedRun
    from watcher.reports.progress import Samples
    from watcher.reports.runs import Differences
    from watcher.reports.status import FailedDelivery, KnownTraining, PollReport, StatusReport
    from watcher.reports.training_page import TrainingPage
    from watcher.reports.trainings import Selection, TrainingTotals
    from watcher.store.errors import StoreLost
    from watcher.store.trainings import Order
    from watcher.store.views import QueueState, Views

FAILED_DELIVERIES: Final = 100
"""The number of latest dead and held deliveries that are read; the counts have all."""
MOST_IN_PROGRESS: Final = 1000
"""The expected ends of so many trainings take half a second."""
PAGE_RUNS: Final = 5
"""The number of latest runs on a training's page."""
PAGE_EVENTS: Final = 20
"""The number of latest events on a training's page."""


def read_report(config: Config, selection: Selection) -> StatusReport:
    """Ask the daemon for its health, and read its store.

    Raises:
        StoreUnusable: there is no store, or it cannot be read.
    """
    daemon = daemon_health(config, os.environ)
    with reading(config, os.environ) as views:
        return read_status(config, views, views.polls(), daemon, selection)


def read_status(  # noqa: PLR0913 - the parts of one report
    config: Config,
    views: Views,
    states: Mapping[str, PollState],
    daemon: DaemonHealth,
    selection: Selection,
    *,
    faulty: bool = False,
) -> StatusReport:
    """Read the store and join it with the configuration and the daemon's answer.

    Args:
        config: the configuration.
        views: the store.
        states: its polls, by key; there may be a hundred thousand, so a command reads them once.
        daemon: the daemon's answer.
        selection: the trainings to show.
        faulty: whether the file is faulty; the daemon may then watch more than ``config`` says, so nothing counts as
            not watched.
    """
    from watcher.clock import Clock
    from watcher.reports.status import StatusReport, known

    now = Clock().utc_now()
    polls = _polled(config, states, faulty=faulty)
    queues = views.queues()
    chosen = choose_trainings(views, [polled.poll for polled in polls], selection, watches_all=faulty)
    return StatusReport(
        at=now,
        trainings=with_progress(views, tuple(known(chosen.snapshots, polls, watches_all=faulty)), now),
        totals=chosen.totals,
        selection=selection,
        more=chosen.more,
        polls=polls,
        incidents=views.incidents(),
        queues=queues,
        failed_deliveries=_failed_deliveries(views) if _any_failed_delivery(queues) else (),
        receivers=frozenset(config.receivers),
        daemon=daemon,
        reasons=_not_ready(config, views, daemon, now),
        deviations=views.deviations(),
        failing_receivers=views.failing_receivers(),
        unannounced=views.unannounced(),
        silences=views.silences(now),
        store=store_health(config.store_path(os.environ), views, now),
        faulty_file=faulty,
    )


def with_progress(views: Views, trainings: Sequence[KnownTraining], now: datetime) -> Sequence[KnownTraining]:
    """Add the run of each training in progress beside earlier ones; of a thousand with ``--all``."""
    first = [item for item in trainings if item.snapshot.run is not None][:MOST_IN_PROGRESS]
    if not first:
        return trainings
    samples = samples_of(views, now)
    progress = {item.snapshot.ref: samples.progress(item.snapshot) for item in first}
    return [replace(item, progress=progress.get(item.snapshot.ref)) for item in trainings]


def samples_of(views: Views, now: datetime) -> Samples:
    """Return the durations of past runs, which are read as they are asked for."""
    from watcher.reports.progress import Samples
    from watcher.store.runs.queries import past_runs

    return Samples(lambda population: past_runs(views.connection, population, now), now)


def _polled(config: Config, states: Mapping[str, PollState], *, faulty: bool) -> Sequence[PollReport]:
    from watcher.reports.status import poll_reports

    polls = poll_reports(planned(config), states)
    # With a faulty file, the daemon may have another interval or service than the file, and not yet this one.
    return [polled for polled in polls if not polled.untried] if faulty else polls


def _not_ready(config: Config, views: Views, daemon: DaemonHealth, now: datetime) -> Sequence[NotReadyReason]:
    from watcher.core.health.readiness import not_ready_reasons
    from watcher.store.health_stats import health_stats

    stats = health_stats(views, config.store_url(os.environ), now)
    failing = store_failing(config.store_path(os.environ), daemon)
    return not_ready_reasons(stats, {}, first_round_done=True, store_failing=failing)


def planned(config: Config) -> list[Poll]:
    """Return the polls of the accounts; the usable part of a faulty file may have watches without theirs."""
    from watcher.config.to_core import polls_of

    return [poll for poll in polls_of(config) if poll.service.account in config.accounts]


def without_store(config: Config, daemon: DaemonHealth, error: StoreLost) -> StatusReport:
    """Return the status of a daemon whose store is no longer at its place."""
    from watcher.clock import Clock
    from watcher.core.health.problems import Problem, ProblemCode
    from watcher.core.health.readiness import NotReady
    from watcher.reports.status import StatusReport
    from watcher.reports.trainings import TrainingTotals

    # It says why the store cannot be read.
    lost = Problem(code=ProblemCode.STORE_UNREADABLE, text=error.problem)
    reasons = tuple(reason for reason in daemon.reasons if reason.code is not NotReady.STORE)
    return StatusReport(
        at=Clock().utc_now(),
        trainings=(),
        totals=TrainingTotals(),
        polls=(),
        incidents=(),
        queues=(),
        failed_deliveries=(),
        receivers=frozenset(config.receivers),
        daemon=replace(daemon, reasons=reasons, problems=(lost, *daemon.problems)),
    )


@dataclass(frozen=True, slots=True)
class ChosenTrainings:
    """The trainings of a selection, and the counts of all that its services have."""

    snapshots: Sequence[Snapshot]
    totals: TrainingTotals
    more: bool


def choose_trainings(
    views: Views, polls: Sequence[Poll], selection: Selection, *, watches_all: bool = False
) -> ChosenTrainings:
    """Read the counts of trainings, and the rows of those that are shown."""
    from watcher.reports.trainings import Watched, service_filter, service_names, totals, watched
    from watcher.store.trainings import TrainingQuery

    takes = service_filter(selection, service_names(polls))
    counts = [item for item in views.training_counts() if takes(item.service)]
    everything_watched = Watched(frozenset(item.service for item in counts), frozenset())
    watches = everything_watched if watches_all else watched(polls)
    counted = totals(counts, views.known_statuses(ref for ref in watches.single if takes(ref.service_ref)), watches)
    everything = selection.shows_all(counts)

    def chosen(ref: TrainingRef) -> bool:
        return takes(ref.service_ref) and (everything or ref in watches)

    takes_all = not selection.filters_services and (everything or not counted.not_watched)
    limit = None if selection.everything else selection.limit
    query = TrainingQuery(
        statuses=selection.statuses(counts),
        service=selection.only,
        gone=everything,
        # Without a condition of ours, the store itself reads no more than the limit.
        takes=None if takes_all else chosen,
        order=_order(selection, everything=everything),
        limit=None if limit is None else limit + 1,
    )
    found = list(views.find_trainings(query))
    more = limit is not None and len(found) > limit
    return ChosenTrainings(found[:limit], counted, more)


def _order(selection: Selection, *, everything: bool) -> Order:
    from watcher.store.trainings import Order

    if everything and selection.only is None:
        return Order.NAME
    return Order.LATEST if everything or not selection.shows_progress else Order.LONGEST


def service_part(whole: StatusReport, service: ServiceRef) -> StatusReport:
    """Return the part of the status that is about one service, and about the daemon."""
    from watcher.reports.training_page import may_concern

    account = f"account:{quote(service.account, safe='')}"
    prefixes = tuple(f"{kind}:{service.subject.partition(':')[2]}/" for kind in ("training", "watch"))
    return replace(
        whole,
        polls=[polled for polled in whole.polls if polled.poll.service == service],
        incidents=[
            item
            for item in whole.incidents
            if item.subject in {account, service.subject} or item.subject.startswith(prefixes)
        ],
        reasons=(),
        queues=(),
        failed_deliveries=(),
        deviations=(),
        failing_receivers=(),
        unannounced=(),
        store=None,
        silences=[item for item in whole.silences if may_concern(item, service)],
    )


def training_part(part: StatusReport, ref: TrainingRef, polled: PollReport | None) -> StatusReport:
    """Return the part of a service's status that is about one training, and about the daemon."""
    others = ("training:", "watch:")
    return replace(
        part,
        polls=[] if polled is None else [polled],
        incidents=[
            item
            for item in part.incidents
            if item.subject in {ref.subject, ref.watch_subject} or not item.subject.startswith(others)
        ],
    )


def read_training(
    config: Config, views: Views, states: Mapping[str, PollState], ref: TrainingRef, *, faulty: bool = False
) -> TrainingPage:
    """Read everything about one training; ``states`` and ``faulty`` as in ``read_status``.

    Raises:
        OperationRefusedError: it is not in the store.
    """
    from zoneinfo import ZoneInfo

    from watcher.clock import Clock
    from watcher.operations.errors import OperationRefusedError
    from watcher.reports.status import known, poll_reports, serving
    from watcher.reports.training_page import TrainingPage, may_concern
    from watcher.store.runs.queries import runs_of
    from watcher.store.views import HistoryFilter

    snapshot = views.one_training(ref)
    if snapshot is None:
        raise OperationRefusedError(
            f"there is no training {ref.service} {ref.type} {ref.version}; see aitems-watcher status {ref.service}"
        )
    now = Clock().utc_now()
    polls = poll_reports(planned(config), states)
    polled = serving(ref, polls)
    (training,) = with_progress(views, tuple(known([snapshot], polls, watches_all=faulty)), now)
    runs = runs_of(views.connection, ref, PAGE_RUNS)
    account = config.accounts.get(ref.account)
    return TrainingPage(
        at=now,
        training=training,
        zone=None if account is None else ZoneInfo(account.time_zone),
        labels={} if polled is None else polled.poll.naming_of(ref).labels,
        poll=polled,
        events=views.history(HistoryFilter(subject=ref.subject, limit=PAGE_EVENTS)),
        silences=[item for item in views.silences(now) if may_concern(item, ref.service_ref, ref)],
        runs=runs,
        stage_usual=_usual_stages(samples_of(views, now), snapshot, runs),
        differences=_differences(views, snapshot, runs, now),
    )


def _usual_stages(samples: Samples, snapshot: Snapshot, runs: Sequence[EndedRun]) -> Mapping[str, UsualFacts]:
    """Return how long the stages of the present or latest run usually take."""
    from watcher.reports.progress import population_of

    shown = snapshot.run if snapshot.run is not None else next(reversed(runs), None)
    statuses = dict.fromkeys(stage.status for stage in (() if shown is None else shown.stages))
    found = {status: samples.usual(population_of(snapshot, status)) for status in statuses}
    return {status: usual for status, usual in found.items() if usual is not None}


def _differences(views: Views, snapshot: Snapshot, runs: Sequence[EndedRun], now: datetime) -> Differences | None:
    """Compare a training with the last version that completed before its own end."""
    from watcher.reports.runs import differences
    from watcher.store.runs.queries import last_good_run

    before = runs[-1].ended.before if runs and snapshot.run is None else now
    last = last_good_run(views.connection, snapshot.ref, before)
    other = None if last is None else views.one_training(last.ref)
    return None if last is None else differences(snapshot.record, last, {} if other is None else other.record)


def find_service(config: Config, views: Views, states: Mapping[str, PollState], text: str) -> ServiceRef:
    """Return the service with this id or name; ``account/service`` where several accounts have one.

    Raises:
        OperationRefusedError: there is none, or there are several.
    """
    from watcher.operations.errors import OperationRefusedError
    from watcher.reports.polls import with_discovered
    from watcher.reports.trainings import service_names

    names = service_names(with_discovered(planned(config), states))
    known = {*names, *(item.service for item in views.training_counts())}
    found = sorted(
        service
        for service in known
        if text
        in {name for own in (service.service, *names.get(service, ())) for name in (own, f"{service.account}/{own}")}
    )
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{service.account}/{service.service}" for service in found)
        raise OperationRefusedError(f"several services are called {text!r}: write one of {listed}")
    raise OperationRefusedError(f"there is no service {text!r}; aitems-watcher status --all lists what is known")


def _any_failed_delivery(queues: list[QueueState]) -> bool:
    from watcher.core.delivery.state import NEEDS_OPERATOR

    return any(queue.state in NEEDS_OPERATOR for queue in queues)


def _failed_deliveries(views: Views) -> tuple[FailedDelivery, ...]:
    from watcher.core.delivery.state import NEEDS_OPERATOR
    from watcher.reports.status import failed_deliveries_in
    from watcher.store.delivery.views import DeliveryFilter

    wanted = DeliveryFilter(states=frozenset(NEEDS_OPERATOR), limit=FAILED_DELIVERIES)
    return tuple(failed_deliveries_in(views.deliveries(wanted)))
