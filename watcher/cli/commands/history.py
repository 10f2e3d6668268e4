"""``history``: the latest events, their routes and their deliveries."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, load_for_store, present_times
from watcher.cli.store_access import reading
from watcher.cli.text.output import screen
from watcher.core.event import Kind

END: Final = help_end(
    "aitems-watcher history --kind failed --limit 10",
    "aitems-watcher history 6wxgu1abcde/pop",
    "aitems-watcher history --json | jq 'select(.late)'",
    statuses={ExitStatus.OK: "", **READING},
)

TextArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TEXT",
        help="Part of a training (account/service/type/version) or the beginning of an event's id.",
        show_default=False,
    ),
]
KindOption = Annotated[Kind | None, typer.Option("--kind", "-k", help="Only events of this kind.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of latest events.")]


def history(  # noqa: PLR0913 - one parameter an option
    text: TextArgument = None,
    *,
    kind: KindOption = None,
    limit: LimitOption = 50,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the latest events and their deliveries.

    The newest event comes last, with the state of its delivery to each receiver. Reads the store beside a running
    daemon and needs no secret. With --json it prints one object per line: the event with its route and deliveries.
    """
    with plain_errors():
        from watcher.store.views import HistoryFilter

        settings = load_for_store(config)
        with reading(settings, os.environ) as views:
            events = views.history(HistoryFilter(text=text, kind=kind, limit=limit))
    out = screen(wide=wide)
    if as_json:
        from watcher.reports.history import event_history_json

        for item in events:
            out.json(event_history_json(item), indent=None)
        return
    from watcher.cli.text.history import history_table

    if events:
        out.table(history_table(events, present_times(wide=wide)))
    else:
        out.line("no events" if text is None and kind is None else "no events match")
