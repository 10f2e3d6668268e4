"""``stats``: runs, successes and durations of each service, type or stage."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import (
    ConfigOption,
    CsvOption,
    JsonOption,
    WideOption,
    duration,
    load_for_store,
    present_times,
    time_ago,
)
from watcher.cli.store_access import reading
from watcher.cli.text.output import screen
from watcher.reports.runs.stats import By

if TYPE_CHECKING:
    from datetime import timedelta

    from watcher.config import Config
    from watcher.core.training.model import ServiceRef
    from watcher.reports.runs.stats import StatsReport, StatsRow
    from watcher.store.runs.queries import Period
    from watcher.store.views import Views

END: Final = help_end(
    "aitems-watcher stats",
    "aitems-watcher stats shop-main --by stage --since 30d",
    "aitems-watcher stats --json | jq '.rows[] | select(.success_rate < 0.9)'",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "there is no such service", **READING},
)

ServiceArgument = Annotated[
    str | None,
    typer.Argument(metavar="SERVICE", help="Only this service, by its id or name.", show_default=False),
]
ByOption = Annotated[By, typer.Option("--by", "-b", help="One row for each of these.")]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Runs that ended within this time, e.g. 30d.")
]


def stats(  # noqa: PLR0913 - one parameter an option
    service: ServiceArgument = None,
    *,
    by: ByOption = By.SERVICE,
    since: SinceOption = "90d",
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Show runs, successes and durations.

    One row a service, a type of a service, or a stage of a type: the runs that ended, the completed share of those
    that completed or failed, how many in a row ended alike, and the median, the middle 80 % and the longest of
    completed runs. The trend compares the median with the time of the same length before. Durations need five runs.
    With --by stage, the latest 40,000 completed runs of either time count. Reads the store and needs no secret.
    """
    period = duration(since, "--since")
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv", param_hint="--csv")
    with plain_errors():
        settings = load_for_store(config)
        with reading(settings, os.environ) as views:
            report = _read(settings, views, service, by, period)
        out = screen(wide=wide)
        if as_csv:
            from watcher.cli.text.csv_lines import write_csv
            from watcher.reports.runs.stats import FIELDS

            write_csv(sys.stdout, FIELDS, (row.as_json() for row in report.rows))
        elif as_json:
            out.json(report.as_json())
        else:
            from watcher.cli.text.stats import show_stats

            show_stats(report, present_times(wide=wide), out)


def _read(settings: Config, views: Views, text: str | None, by: By, length: timedelta) -> StatsReport:
    from watcher.reading.services import find_service, known_names
    from watcher.reports.runs.stats import StatsReport
    from watcher.reports.trainings import unique_names
    from watcher.store.runs.queries import Period

    now = present_times().now
    states = views.polls()
    service = None if text is None else find_service(settings, views, states, text)
    period = Period(since=time_ago(now, length, "--since"), before=now)
    rows = _stage_rows(views, service, period) if by is By.STAGE else _run_rows(views, service, period, by)
    names = unique_names(known_names(settings, states))
    return StatsReport(
        at=now,
        since=period.since,
        previous_since=period.previous.since,
        by=by,
        rows=[replace(row, name=_name(row, names)) for row in rows],
    )


def _run_rows(views: Views, service: ServiceRef | None, period: Period, by: By) -> list[StatsRow]:
    from watcher.reports.runs.stats import run_rows, tallied
    from watcher.store.runs.queries import run_lines

    earlier = tallied(run_lines(views.connection, period.previous, service), by)
    return run_rows(tallied(run_lines(views.connection, period, service), by, earlier), earlier)


def _stage_rows(views: Views, service: ServiceRef | None, period: Period) -> list[StatsRow]:
    from watcher.reports.runs.stats import stage_rows, stage_seconds
    from watcher.store.runs.queries import stage_lines

    known, earlier = (stage_seconds(stage_lines(views.connection, item, service)) for item in (period, period.previous))
    return list(stage_rows(known, earlier))


def _name(row: StatsRow, names: dict[ServiceRef, str]) -> str | None:
    from watcher.core.training.model import ServiceRef

    return names.get(ServiceRef(row.group.account, row.group.service))
