"""``status``: each training's status, failing polls, and undelivered messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.store_access import reading, store_health
from watcher.cli.text.output import screen

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.reports.status import FailedDelivery, StatusReport
    from watcher.store.views import QueueState, Views

END: Final = help_end(
    "aitems-watcher status --config /etc/aitems-watcher/config.toml",
    "aitems-watcher status --json | jq '.trainings[] | select(.status == \"learning\")'",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "a poll, a receiver, a delivery or the store has a problem, or an incident is open",
        **READING,
    },
)
SEARCHED: Final = 1_000
"""The number of latest events that are searched for dead and held deliveries."""


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every training and every problem.

    Lists the status of each training, failing polls, open incidents and undelivered messages. Reads the store beside
    a running daemon and needs no secret. With --json it prints one object.
    """
    with plain_errors():
        settings = load_config(config)
        with reading(settings, os.environ) as views:
            report = read_status(settings, views)
    out = screen()
    if as_json:
        from watcher.reports.status_json import status_json

        out.json(status_json(report))
    else:
        from watcher.cli.text.status import show_status

        show_status(report, out)
    raise typer.Exit(ExitStatus.FAILED if report.problems else ExitStatus.OK)


def read_status(config: Config, views: Views) -> StatusReport:
    """Read the store and join it with the configuration."""
    from watcher.clock import Clock
    from watcher.config.to_core import polls_of
    from watcher.reports.status import StatusReport, known, poll_reports

    now = Clock().utc_now()
    polls = poll_reports(polls_of(config), views.polls())
    queues = views.queues()
    return StatusReport(
        at=now,
        trainings=tuple(known(views.trainings(), polls)),
        polls=polls,
        incidents=views.incidents(),
        queues=queues,
        failed_deliveries=_failed_deliveries(views) if _any_failed_delivery(queues) else (),
        receivers=frozenset(config.receivers),
        deviations=views.deviations(),
        failing_receivers=views.failing_receivers(),
        unannounced=views.unannounced(),
        silences=views.silences(now),
        store=store_health(config.state.sqlite_path(os.environ), views, now),
    )


def _any_failed_delivery(queues: list[QueueState]) -> bool:
    from watcher.reports.status import NEEDS_OPERATOR

    return any(queue.state in NEEDS_OPERATOR for queue in queues)


def _failed_deliveries(views: Views) -> tuple[FailedDelivery, ...]:
    from watcher.reports.status import failed_deliveries_in
    from watcher.store.views import HistoryFilter

    return tuple(failed_deliveries_in(views.history(HistoryFilter(limit=SEARCHED))))
