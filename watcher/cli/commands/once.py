"""``once``: one look at everything, for cron and CI."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, VerboseOption, load_config
from watcher.cli.runtime import quiet_logs, run_async, runtime
from watcher.cli.text.output import Screen, screen
from watcher.core.delivery.model import State
from watcher.core.plural import counted

if TYPE_CHECKING:
    from watcher.app import Daemon, Runtime
    from watcher.config import Config
    from watcher.core.polling.result import PollState
    from watcher.reports.status import PollReport
    from watcher.store.views import EventHistory, QueueState

END: Final = help_end(
    "aitems-watcher once --config config.toml",
    "*/5 * * * *  aitems-watcher once -c /etc/aitems-watcher/config.toml  # in a crontab",
    statuses={
        ExitStatus.OK: "everything was seen, everything is delivered",
        ExitStatus.FAILED: "a look failed, or a delivery is not made",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)
FIRST_PAGE: Final = 50
SETTLED: Final = frozenset({State.DELIVERED, State.DROPPED, State.SILENCED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one look at everything brought."""

    events: Sequence[EventHistory]
    polls: Sequence[PollReport]
    queues: Sequence[QueueState]

    @property
    def failed_polls(self) -> list[PollReport]:
        """Those that showed nothing, or whose answer was not kept."""
        return [polled for polled in self.polls if polled.failing or polled.untried]

    @property
    def undelivered(self) -> int:
        """How many deliveries are not made, older ones included."""
        return sum(queue.count for queue in self.queues if queue.state not in SETTLED)

    @property
    def status(self) -> ExitStatus:
        """How the command ends."""
        return ExitStatus.FAILED if self.failed_polls or self.undelivered else ExitStatus.OK


def once(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Look at everything once, tell what is due, and end.

    What is not delivered is tried again by the next run. With --json it prints one object; receivers of the kind
    "log" then write to standard error.
    """
    with plain_errors():
        settings = load_config(config)
        around = runtime(quiet_logs(verbose=verbose), sys.stderr if as_json else sys.stdout)
        sweep = run_async(_sweep(settings, around))
    out = screen()
    if as_json:
        out.json(_sweep_json(sweep, frozenset(settings.receivers)))
    else:
        _show(sweep, frozenset(settings.receivers), out)
    raise typer.Exit(sweep.status)


async def _sweep(config: Config, around: Runtime) -> Sweep:
    from watcher.app import open_daemon
    from watcher.config.to_core import polls_of
    from watcher.reports.status import poll_reports

    async with open_daemon(config, around, purpose="once") as daemon:
        latest = _latest_event(daemon)
        failing = await daemon.once()
        events, queues, states = _read(daemon, latest)
    return Sweep(events=events, polls=poll_reports(polls_of(config), states | _by_key(failing)), queues=queues)


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
        # More and more of the latest events, until the one that was the latest before is among them.
        while True:
            events = views.history(HistoryFilter(limit=limit))
            ids = [item.event.id for item in events]
            if latest in ids or len(events) < limit:
                news = events[ids.index(latest) + 1 :] if latest in ids else events
                return news, views.queues(), views.polls()
            limit *= 2


def _show(sweep: Sweep, receivers: frozenset[str], out: Screen) -> None:
    from watcher.cli.text.history import history_table
    from watcher.cli.text.status import queue_table, show_polls
    from watcher.clock import Clock

    if sweep.events:
        out.table(history_table(sweep.events))
    show_polls(sweep.polls, out)
    if sweep.undelivered:
        out.line()
        out.table(queue_table(sweep.queues, receivers, Clock().utc_now()))
    if sweep.events or sweep.status:
        out.line()
    out.line(_summary(sweep))


def _summary(sweep: Sweep) -> str:
    polls = f"{counted(len(sweep.polls), 'poll')}, {len(sweep.failed_polls)} failed"
    return f"{polls}; {counted(len(sweep.events), 'change')}; {sweep.undelivered} not delivered"


def _sweep_json(sweep: Sweep, receivers: frozenset[str]) -> dict[str, object]:
    from watcher.cli.text.history import event_history_json
    from watcher.reports.status import poll_json, queue_json

    return {
        "events": [event_history_json(item) for item in sweep.events],
        "polls": [poll_json(item) for item in sweep.polls],
        "deliveries": [queue_json(item, receivers) for item in sweep.queues],
        "failed_looks": len(sweep.failed_polls),
        "undelivered": sweep.undelivered,
    }
