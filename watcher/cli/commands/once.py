"""``once``: one poll of everything, for cron and CI."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, VerboseOption, WideOption, load_config, present_times
from watcher.cli.runtime import quiet_logs, run_async, runtime
from watcher.cli.store_access import place_of_store
from watcher.cli.text.output import Screen, screen

if TYPE_CHECKING:
    from watcher.app import Daemon, Runtime
    from watcher.cli.text.times import LocalTimes
    from watcher.config import Config
    from watcher.core.polling.result import PollState
    from watcher.reports.runs.single_run import SingleRun
    from watcher.store.views import EventHistory, QueueState

END: Final = help_end(
    "aitems-watcher once --config config.toml",
    "*/5 * * * *  aitems-watcher once -c /etc/aitems-watcher/config.toml  # in a crontab",
    statuses={
        ExitStatus.OK: "every poll succeeded, and every message is delivered",
        ExitStatus.FAILED: "a poll failed, or a message is not delivered",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)
FIRST_PAGE: Final = 50


def once(
    config: ConfigOption = None, wide: WideOption = False, as_json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Poll everything once, send the messages that are due, and end.

    The next run retries messages that were not delivered. With --json it prints one object; receivers of the kind
    "log" then write to standard error.
    """
    with plain_errors():
        settings = load_config(config)
        place_of_store(settings, os.environ)
        process = runtime(quiet_logs(verbose=verbose), sys.stderr if as_json else sys.stdout)
        result = run_async(_run(settings, process))
    out = screen(wide=wide)
    if as_json:
        out.json(result.as_json(frozenset(settings.receivers)))
    else:
        _show(result, frozenset(settings.receivers), present_times(wide=wide), out)
    raise typer.Exit(ExitStatus.FAILED if result.failed else ExitStatus.OK)


async def _run(config: Config, process: Runtime) -> SingleRun:
    from watcher.app import ONCE, open_daemon
    from watcher.config.to_core import polls_of
    from watcher.reports.runs.single_run import SingleRun
    from watcher.reports.status import poll_reports

    async with open_daemon(config, process, purpose=ONCE) as daemon:
        latest = _latest_event(daemon)
        failing = await daemon.once()
        events, queues, states = _read(daemon, latest)
    return SingleRun(events=events, polls=poll_reports(polls_of(config), states | _by_key(failing)), queues=queues)


def _by_key(states: Sequence[PollState]) -> dict[str, PollState]:
    return {state.key: state for state in states}


def _latest_event(daemon: Daemon) -> str | None:
    from watcher.store.views import HistoryFilter, open_views

    with open_views(daemon.database.url) as views:
        latest = views.history(HistoryFilter(limit=1))
    return latest[0].event.id if latest else None


def _read(
    daemon: Daemon, latest: str | None
) -> tuple[Sequence[EventHistory], Sequence[QueueState], dict[str, PollState]]:
    from watcher.store.views import HistoryFilter, open_views

    with open_views(daemon.database.url) as views:
        limit = FIRST_PAGE
        # Read ever more of the latest events, until the latest event before this run is among them.
        while True:
            events = views.history(HistoryFilter(limit=limit))
            ids = [item.event.id for item in events]
            if latest in ids or len(events) < limit:
                new_events = events[ids.index(latest) + 1 :] if latest in ids else events
                return new_events, views.queues(), views.polls()
            limit *= 2


def _show(result: SingleRun, receivers: frozenset[str], times: LocalTimes, out: Screen) -> None:
    from watcher.cli.text.history import history_table
    from watcher.cli.text.status import queue_table, show_polls

    if result.events:
        out.table(history_table(result.events, times))
    show_polls(result.polls, times, out)
    if result.undelivered:
        out.line()
        out.table(queue_table(result.queues, receivers, times.now))
    if result.events or result.failed:
        out.line()
    out.line(result.summary)
