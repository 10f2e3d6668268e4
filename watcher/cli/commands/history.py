"""``history``: the latest events, their routes and their deliveries."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, duration, load_for_store, present_times, time_ago
from watcher.cli.store_access import reading
from watcher.cli.text.output import screen
from watcher.core.event import Kind

if TYPE_CHECKING:
    from datetime import timedelta

    from watcher.cli.text.output import Screen
    from watcher.config import Config
    from watcher.store.views import EventHistory, HistoryFilter

END: Final = help_end(
    "aitems-watcher history --kind failed --limit 10",
    "aitems-watcher history 6wxgu1abcde/pop --since 7d",
    "aitems-watcher history --kind failed --kind gone --follow",
    "aitems-watcher history --json | jq 'select(.late)'",
    "aitems-watcher history --actions --since 7d",
    statuses={ExitStatus.OK: "", **READING},
)

TextArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TEXT",
        help="Part of a training (account/service/type/version, or the service's name and /type/version), or the "
        "beginning of an event's id.",
        show_default=False,
    ),
]
KindOption = Annotated[
    list[Kind] | None, typer.Option("--kind", "-k", help="Only events of this kind; may be repeated.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="DURATION", help="Only events recorded within this time, e.g. 24h; all of them."),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, help="The number of latest events; 50 without --since.", show_default=False),
]
ActionsOption = Annotated[bool, typer.Option("--actions", help="Show the actions of people instead of events.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Then show new events as they come, until Ctrl-C.")]
LIMIT: Final = 50
FOLLOW_SECONDS: Final = 1.0
"""The time between two reads of new events."""


def history(  # noqa: PLR0913 - one parameter an option
    text: TextArgument = None,
    *,
    kind: KindOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    follow: FollowOption = False,
    actions: ActionsOption = False,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the latest events and their deliveries.

    The newest event comes last, with the state of its delivery to each receiver. Reads the store beside a running
    daemon and needs no secret. With --json it prints one object per line: the event with its route and deliveries.
    With --actions it shows who retried or dropped a delivery, sent a test, added or ended a silence, or reloaded.
    """
    period = None if since is None else duration(since, "--since")
    most = limit or (None if since else LIMIT)
    if actions:
        if text or kind or follow:
            raise typer.BadParameter("takes no TEXT, --kind or --follow", param_hint="--actions")
        _show_actions(config, period, most, wide=wide, as_json=as_json)
        return
    with plain_errors():
        from watcher.store.views import HistoryFilter

        settings = load_for_store(config)
        wanted = HistoryFilter(
            text=text,
            kinds=frozenset(kind or ()),
            since=None if period is None else time_ago(present_times().now, period, "--since"),
            limit=most,
        )
        found = _read(settings, wanted)
        out = screen(wide=wide)
        show = partial(_show, out=out, wide=wide, as_json=as_json, several_accounts=len(settings.accounts) > 1)
        show(found.events)
        if not found.events and not as_json:
            out.line("no events match" if text or kind or since else "no events")
        if follow:
            _follow(settings, found.later, out, show)


@dataclass(frozen=True, slots=True)
class _Found:
    events: Sequence[EventHistory]
    later: HistoryFilter
    """Matches those that are recorded from now on."""


def _read(settings: Config, wanted: HistoryFilter) -> _Found:
    """Read the events of a filter, whose text may begin with the name of a service."""
    from watcher.reading.services import text_with_id

    with reading(settings, os.environ) as views:
        if wanted.text is not None:
            wanted = replace(wanted, text=text_with_id(settings, views, wanted.text))
        events, position = views.history(wanted), views.newest_position()
    return _Found(events, replace(wanted, since=None, limit=None, after=position))


def _show(  # noqa: PLR0913 - the options of the command
    events: Sequence[EventHistory],
    *,
    out: Screen,
    wide: bool,
    as_json: bool,
    several_accounts: bool,
    headings: bool = True,
) -> None:
    if as_json:
        from watcher.reports.history import event_history_json

        for item in events:
            out.json(event_history_json(item), indent=None)
    elif events:
        from watcher.cli.text.history import history_table

        table = history_table(events, present_times(wide=wide), several_accounts=several_accounts)
        out.table(table, headings=headings)


def _show_actions(
    config: ConfigOption, period: timedelta | None, limit: int | None, *, wide: bool, as_json: bool
) -> None:
    with plain_errors():
        from watcher.core.action import ActionKind
        from watcher.store.actions import latest

        times = present_times(wide=wide)
        since = None if period is None else time_ago(times.now, period, "--since")
        with reading(load_for_store(config), os.environ) as views:
            found = latest(views.connection, ActionKind, limit, since)[::-1]
    from watcher.cli.text.actions import action_table
    from watcher.reports.actions import action_json

    out = screen(wide=wide)
    if as_json:
        for action in found:
            out.json(action_json(action), indent=None)
    elif found:
        out.table(action_table(found, times))
    else:
        out.line("no actions")


def _follow(settings: Config, wanted: HistoryFilter, out: Screen, show: Callable[..., None]) -> None:
    """Show each event that is recorded from now on."""
    from watcher.reading.events import settled_events

    with suppress(KeyboardInterrupt):
        while True:
            out.flush()
            time.sleep(FOLLOW_SECONDS)
            with reading(settings, os.environ) as views:
                events = settled_events(views.history(wanted), present_times().now)
            show(events, headings=False)
            if events:
                wanted = replace(wanted, after=events[-1].position)
