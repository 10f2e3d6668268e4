"""``demo``: the real daemon and the simulated AiTEMS, in one process and a temporary folder."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.commands.simulation.demo_configuration import CONSOLE, URL_VARIABLES, demo_configuration
from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import VerboseOption, duration
from watcher.cli.runtime import run_async, stop_on_signals
from watcher.cli.text.output import Screen, cell, say, screen
from watcher.core.delivery.state import State
from watcher.core.plural import counted
from watcher.line_writer import EXIT_SECONDS, LineWriter

if TYPE_CHECKING:
    from watcher.app import Daemon
    from watcher.config import Config
    from watcher.core.delivery.receiver import Receiver
    from watcher.logs import Redactor
    from watcher.simulator import Running
    from watcher.store.views import EventHistory
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher demo",
    "aitems-watcher demo --for 5m --to-slack https://hooks.slack.com/services/…",
    statuses={
        ExitStatus.OK: "the demo ended or was stopped",
        ExitStatus.FAILED: "a message to --to-slack or --to-webhook failed, or a fault of the watcher",
    },
)
EVERYTHING: Final = 1_000_000
LOG: Final = "demo.log"
FAULT_LEVELS: Final = frozenset({"error", "critical"})

ForOption = Annotated[str, typer.Option("--for", "-f", metavar="DURATION", help="The length of the demo.")]
SlackOption = Annotated[
    str | None, typer.Option("--to-slack", metavar="URL", help="Also send to this incoming webhook of Slack.")
]
WebhookOption = Annotated[
    str | None, typer.Option("--to-webhook", metavar="URL", help="Also send to this webhook, unsigned.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The options of the demo."""

    length: timedelta
    urls: Mapping[str, str]
    """The URLs of receivers, by kind."""
    folder: Path
    redactor: Redactor


def demo(
    length: ForOption = "60s",
    to_slack: SlackOption = None,
    to_webhook: WebhookOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Run the daemon against a simulated AiTEMS.

    It needs no account and no file. Within a minute a training appears, one completes, and one fails. Alerts appear
    on the terminal. --to-slack and --to-webhook also get those of the default kinds, each marked DEMO.
    """
    seconds = duration(length, "--for")
    given = {"slack-webhook": to_slack, "webhook": to_webhook}
    urls = {kind: _checked_url(kind, url) for kind, url in given.items() if url is not None}
    out = screen()
    out.line(f"A demo of aitems-watcher against a simulated AiTEMS, for {length}; Ctrl-C ends it.")
    out.flush()
    with plain_errors(), _folder() as folder, _logs(folder.path, verbose=verbose) as redactor:
        options = Demo(length=seconds, urls=urls, folder=folder.path, redactor=redactor)
        events = run_async(_watch(options, out))
        folder.keep = has_faults(folder.path / LOG)
    out.line()
    out.line(summary(events))
    failed = failures(events)
    for line in failed:
        out.line(cell(line))
    raise typer.Exit(ExitStatus.FAILED if failed or folder.keep else ExitStatus.OK)


def _checked_url(kind: str, url: str) -> str:
    from watcher.config import receiver_url_problem

    problem = receiver_url_problem(url)
    if problem is not None:
        option = "--to-slack" if kind == "slack-webhook" else "--to-webhook"
        raise typer.BadParameter(f"{problem.problem}; {problem.remedy}", param_hint=option)
    return url


@dataclass(slots=True)
class Folder:
    """The demo's folder; it is removed at the end, except after a fault."""

    path: Path
    keep: bool = True


@contextmanager
def _folder() -> Iterator[Folder]:
    folder = Folder(Path(tempfile.mkdtemp(prefix="aitems-watcher-demo-")))
    try:
        yield folder
    finally:
        if folder.keep:
            say(f"the watcher had a fault; its log is kept: {folder.path / LOG}")
        else:
            shutil.rmtree(folder.path, ignore_errors=True)


def has_faults(log: Path) -> bool:
    """Say whether a log has a line about a fault."""
    with log.open(encoding="utf-8") as lines:
        return any(json.loads(line).get("level") in FAULT_LEVELS for line in lines)


@contextmanager
def _logs(folder: Path, *, verbose: bool) -> Iterator[Redactor]:
    from watcher import logs as telemetry

    redactor = telemetry.Redactor()
    with (folder / LOG).open("w", encoding="utf-8") as file:
        writer = telemetry.configure(redactor, stream=sys.stderr if verbose else file, verbose=verbose)
        yield redactor
        # The log is searched for faults next.
        writer.drain(EXIT_SECONDS)


async def _watch(options: Demo, out: Screen) -> Sequence[EventHistory]:
    from watcher.app import open_daemon
    from watcher.simulator import Simulator, demo_world, serve
    from watcher.store.views import HistoryFilter, open_views

    stop = asyncio.Event()
    stop_on_signals(stop)
    async with serve(Simulator(demo_world())) as running:
        config = _configuration(options, running)
        process = _runtime(options)
        async with (
            _console(config, out) as console,
            open_daemon(config, process, purpose="demo", extra_receivers={CONSOLE: console}) as daemon,
        ):
            _introduce(options, running, out)
            asyncio.get_running_loop().call_later(options.length.total_seconds(), stop.set)
            page = asyncio.create_task(_name_page(daemon, out))
            await daemon.run(stop)
            page.cancel()
            with open_views(daemon.database.url) as views:
                return views.history(HistoryFilter(limit=EVERYTHING))


async def _name_page(daemon: Daemon, out: Screen) -> None:
    """Write the address of the status page once it is served."""
    listener = daemon.health_endpoints.listener
    if listener is not None:
        await listener.first_started.wait()
        out.line(f"The status page is at http://127.0.0.1:{listener.port}/ until the end.")
        out.line()
        out.flush()


def _configuration(options: Demo, running: Running) -> Config:
    from watcher.config import load

    services = [(service.id, service.name) for service in running.simulator.truth.services]
    text = demo_configuration(running.base_url, services, options.urls)
    return load(options.folder / "config.toml", text=text)


def _runtime(options: Demo) -> Runtime:
    from watcher.clock import Clock
    from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY
    from watcher.wiring.runtime import Runtime

    environ = {"NCP_ACCESS_KEY": SIMULATOR_ACCESS_KEY, "NCP_SECRET_KEY": SIMULATOR_SECRET_KEY}
    environ |= {URL_VARIABLES[kind]: url for kind, url in options.urls.items()}
    return Runtime(environ=environ, redactor=options.redactor, clock=Clock(), output=LineWriter(sys.stdout))


@asynccontextmanager
async def _console(config: Config, out: Screen) -> AsyncIterator[Receiver]:
    from watcher.clock import Clock
    from watcher.core.messages.message import Style
    from watcher.http import HttpClient, HttpSettings
    from watcher.receivers import KINDS, Spec
    from watcher.wiring.style import style_of

    clock = Clock()
    http = HttpClient(HttpSettings(), clock)
    try:
        style = Style(account_zones=style_of(CONSOLE, config.accounts).account_zones)
        spec = Spec(name=CONSOLE, http=http, clock=clock, style=style, writer=LineWriter(out.stream))
        yield KINDS["console"](spec)
    finally:
        await http.aclose()


def _introduce(options: Demo, running: Running, out: Screen) -> None:
    names = ", ".join(service.name for service in running.simulator.truth.services)
    out.line(f"The simulator is at {running.base_url}; the watched services are {names}.")
    out.line(f"The store and the log are in {options.folder} until the end.")
    out.line("The first poll of a service sends no alert; every later change does.")
    out.line()
    out.flush()


def summary(events: Sequence[EventHistory]) -> str:
    """Count the events by kind, and the alerts that each receiver got, in one line."""
    if not events:
        return "no events: nothing changed"
    kinds = Counter(str(item.event.kind) for item in events)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{counted(len(events), 'event')}: {counts}; {_delivered(events)}"


def _delivered(events: Sequence[EventHistory]) -> str:
    """Count the delivered alerts of each receiver: one alert may have several events, and an event none."""
    alerts = Counter(
        receiver
        for receiver, _ in {
            (outcome.receiver, outcome.delivery_id)
            for item in events
            for outcome in item.delivery_outcomes
            if outcome.state is State.DELIVERED
        }
    )
    if not alerts:
        return "no alert delivered"
    return ", ".join(f"{counted(count, 'alert')} to {receiver}" for receiver, count in sorted(alerts.items()))


def failures(events: Sequence[EventHistory]) -> list[str]:
    """Return a line for each receiver and reason with failed alerts."""
    from watcher.core.messages.reasons import reason_text

    failed = {
        (outcome.receiver, outcome.delivery_id): reason_text(outcome.reason)
        for item in events
        for outcome in item.delivery_outcomes
        if outcome.attempts and outcome.state is not State.DELIVERED
    }
    found = Counter((receiver, reason) for (receiver, _), reason in failed.items())
    return [
        f"{receiver}: {counted(count, 'alert')} not delivered: {reason}"
        for (receiver, reason), count in sorted(found.items())
    ]
