"""``export``: trainings, runs, events or deliveries as CSV or JSON Lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from enum import StrEnum
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, duration, load_for_store, present_times, time_ago
from watcher.cli.store_access import reading
from watcher.cli.written_file import written_bytes, written_file

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.config import Config
    from watcher.store.export import Exported, Key, TablePage

    Pages = tuple[TablePage, dict[str, list[str]]]
    """A page, with the ids of the events of its deliveries."""

END: Final = help_end(
    "aitems-watcher export runs --format csv --since 365d -o runs.csv",
    "aitems-watcher export events --format jsonl | jq 'select(.kind == \"failed\")'",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "the file cannot be written", **READING},
)


class ExportedTable(StrEnum):
    """The tables to export."""

    TRAININGS = "trainings"
    RUNS = "runs"
    EVENTS = "events"
    DELIVERIES = "deliveries"


class Format(StrEnum):
    """The formats of an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


NO_PYARROW: Final = "Parquet needs pyarrow: pip install 'aitems-watcher[parquet]'"
TableArgument = Annotated[ExportedTable, typer.Argument(metavar="TABLE", help="What to export.", show_default=False)]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="CSV, one JSON object a line, or Parquet.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="DURATION", help="Only rows of this time, e.g. 30d; all of them.", show_default=False
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write; standard output.", show_default=False),
]


def export(
    table: TableArgument,
    *,
    format_: FormatOption = Format.CSV,
    since: SinceOption = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """Export trainings, runs, events or deliveries.

    As CSV, JSON Lines or Parquet; Parquet needs --output and the extra "parquet". Rows come in a fixed order, the
    oldest first; trainings by name. Times are RFC 3339 in UTC. A text in CSV that a spreadsheet would run as a formula
    begins with an apostrophe. Memory stays the same for any number of rows. A file appears under its name once it is
    complete. Reads the store beside a running daemon, and needs no secret.
    """
    period = None if since is None else duration(since, "--since")
    if format_ is Format.PARQUET:
        _require_parquet(output)
    with plain_errors():
        from watcher.store.export import Exported

        settings = load_for_store(config)
        begin = None if period is None else time_ago(present_times().now, period, "--since")
        pages = _begun(_pages(settings, Exported(table), begin))
        if format_ is Format.PARQUET and output is not None:
            _write_parquet(output, Exported(table), pages)
            return
        with nullcontext(sys.stdout) if output is None else written_file(output) as stream:
            write = _write_csv if format_ is Format.CSV else _write_json
            write(stream, Exported(table), pages)


def _require_parquet(output: Path | None) -> None:
    if output is None:
        raise typer.BadParameter("a Parquet file is binary: add its name", param_hint="--output")
    if find_spec("pyarrow") is None:
        raise typer.BadParameter(NO_PYARROW, param_hint="--format")


def _pages(settings: Config, table: Exported, since: datetime | None) -> Iterator[Pages]:
    """Yield the pages, each read by itself, with the ids of the events of its deliveries."""
    from watcher.store.export import Exported, events_of_deliveries, export_page

    after: Key | None = None
    while True:
        with reading(settings, os.environ) as views:
            page = export_page(views.connection, table, since, after)
            deliveries = [row[0] for row in page.rows] if table is Exported.DELIVERIES else []
            events = events_of_deliveries(views.connection, deliveries)
        yield page, events
        after = page.last
        if after is None:
            return


def _begun(pages: Iterator[Pages]) -> Iterator[Pages]:
    """Read the first page, so that nothing is written where the store cannot be read."""
    return chain([next(pages)], pages)


def _write_csv(stream: TextIO, table: Exported, pages: Iterator[Pages]) -> None:
    from watcher.cli.text.csv_lines import CsvLines
    from watcher.reports.runs.exports import FIELDS, csv_values

    lines = CsvLines(stream, FIELDS[table])
    for page, events in pages:
        lines.write(csv_values(table, page.rows, events))


def _write_json(stream: TextIO, table: Exported, pages: Iterator[Pages]) -> None:
    import json

    from watcher.reports.runs.exports import records

    write = json.JSONEncoder().encode
    for page, events in pages:
        stream.writelines(f"{write(record)}\n" for record in records(table, page.rows, events))


def _write_parquet(path: Path, table: Exported, pages: Iterator[tuple[TablePage, dict[str, list[str]]]]) -> None:
    from watcher.cli.text.parquet_table import ParquetTable
    from watcher.reports.runs.exports import FIELDS, values_of

    with written_bytes(path) as stream, closing(ParquetTable(stream, FIELDS[table])) as file:
        for page, events in pages:
            file.write(values_of(table, page.rows, events))
