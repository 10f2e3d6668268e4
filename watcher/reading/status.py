"""Read the whole status: the store, joined with the configuration and the answer of the daemon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from watcher.config import Config
from watcher.core.delivery.state import NEEDS_OPERATOR
from watcher.core.health.problems import DaemonHealth, Problem, ProblemCode
from watcher.core.health.readiness import NotReady, NotReadyReason, not_ready_reasons
from watcher.core.polling.result import PollState
from watcher.core.training.model import ServiceRef
from watcher.core.training.retraining import Retraining
from watcher.reading.store import store_health
from watcher.reading.trainings import choose_trainings, planned, with_progress
from watcher.reports.status import FailedDelivery, PollReport, StatusReport, failed_deliveries_in, known, poll_reports
from watcher.reports.trainings import Selection, TrainingTotals
from watcher.store.delivery.views import DeliveryFilter
from watcher.store.errors import StoreLost
from watcher.store.health_stats import health_stats
from watcher.store.views import QueueState, Views

FAILED_DELIVERIES: Final = 100
"""The number of latest dead and held deliveries that are read; the counts have all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """The file of the store."""

    path: Path
    url: str
    failing: str | None = None
    """Why it cannot be written, where no daemon answers that itself."""


def read_status(  # noqa: PLR0913 - the parts of one report
    config: Config,
    views: Views,
    states: Mapping[str, PollState],
    daemon: DaemonHealth,
    selection: Selection,
    *,
    place: StorePlace,
    now: datetime,
    faulty: bool = False,
) -> StatusReport:
    """Read the store and join it with the configuration and the daemon's answer.

    With ``selection.only``, what the store knows about the watcher itself is left out, as ``service_part`` shows none
    of it: the counts of deliveries, for one, grow with the history of all services.

    Args:
        config: the configuration.
        views: the store.
        states: its polls, by key; there may be a hundred thousand, so a command reads them once.
        daemon: the daemon's answer.
        selection: the trainings to show.
        place: the file of the store.
        now: the present, UTC.
        faulty: whether the file is faulty; the daemon may then watch more than ``config`` says, so nothing counts as
            not watched.
    """
    polls = _polled(config, states, selection.only, faulty=faulty)
    chosen = choose_trainings(views, [polled.poll for polled in polls], selection, watches_all=faulty)
    report = StatusReport(
        at=now,
        trainings=with_progress(views, tuple(known(chosen.snapshots, polls, watches_all=faulty)), now),
        totals=chosen.totals,
        selection=selection,
        more=chosen.more,
        polls=polls,
        incidents=views.incidents(),
        overdue=_expected(views.overdue(), polls),
        queues=(),
        failed_deliveries=(),
        receivers=frozenset(config.receivers),
        daemon=daemon,
        silences=views.silences(now),
        faulty_file=faulty,
    )
    return report if selection.only is not None else _with_watcher(report, views, place)


def _with_watcher(report: StatusReport, views: Views, place: StorePlace) -> StatusReport:
    """Add what the store knows about the watcher itself."""
    queues = views.queues()
    return replace(
        report,
        queues=queues,
        failed_deliveries=_failed_deliveries(views) if _any_failed_delivery(queues) else (),
        reasons=_not_ready(views, place, report.at),
        deviations=views.deviations(),
        failing_receivers=views.failing_receivers(),
        unannounced=views.unannounced(),
        store=store_health(place.path, views, report.at),
    )


def _polled(
    config: Config, states: Mapping[str, PollState], only: ServiceRef | None, *, faulty: bool
) -> Sequence[PollReport]:
    polls = poll_reports(planned(config, only), states)
    # With a faulty file, the daemon may have another interval or service than the file, and not yet this one.
    return [polled for polled in polls if not polled.untried] if faulty else polls


def _expected(found: Iterable[Retraining], polls: Iterable[PollReport]) -> Sequence[Retraining]:
    """Return the retrainings that a watch of the whole service still expects."""
    services = {polled.poll.service for polled in polls if polled.poll.finds_new}
    return [state for state in found if state.ref.service_ref in services]


def _not_ready(views: Views, place: StorePlace, now: datetime) -> Sequence[NotReadyReason]:
    stats = health_stats(views, place.url, now, in_progress=False)
    return not_ready_reasons(stats, {}, first_round_done=True, store_failing=place.failing)


def without_store(config: Config, daemon: DaemonHealth, error: StoreLost, now: datetime) -> StatusReport:
    """Return the status of a daemon whose store is no longer at its place."""
    # It says why the store cannot be read.
    lost = Problem(code=ProblemCode.STORE_UNREADABLE, text=error.problem)
    reasons = tuple(reason for reason in daemon.reasons if reason.code is not NotReady.STORE)
    return StatusReport(
        at=now,
        trainings=(),
        totals=TrainingTotals(),
        polls=(),
        incidents=(),
        queues=(),
        failed_deliveries=(),
        receivers=frozenset(config.receivers),
        daemon=replace(daemon, reasons=reasons, problems=(lost, *daemon.problems)),
    )


def _any_failed_delivery(queues: list[QueueState]) -> bool:
    return any(queue.state in NEEDS_OPERATOR for queue in queues)


def _failed_deliveries(views: Views) -> tuple[FailedDelivery, ...]:
    wanted = DeliveryFilter(states=frozenset(NEEDS_OPERATOR), limit=FAILED_DELIVERIES)
    return tuple(failed_deliveries_in(views.deliveries(wanted)))
