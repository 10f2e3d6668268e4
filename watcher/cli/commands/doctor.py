"""``doctor``: what is well on this machine and what is not, each with what to do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.text.output import BAD, GOOD, WARN, Cell, Screen, cell, screen, width
from watcher.core.incidents.tracker import MAX_CLOCK_SKEW_SECONDS

if TYPE_CHECKING:
    from watcher.cli.commands.online import OnlineCheck
    from watcher.config import Config
    from watcher.reports.doctor import DoctorCheck
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher doctor --config /etc/aitems-watcher/config.toml",
    "aitems-watcher doctor --online",
    statuses={
        ExitStatus.OK: "no fault; there may be warnings",
        ExitStatus.FAILED: "a fault",
        ExitStatus.CONFIG: "the configuration is faulty",
    },
)
ABOUT_WIDTH: Final = 32
STYLES: Final = {"ok": GOOD, "warning": WARN, "fault": BAD}

OnlineOption = Annotated[
    bool,
    typer.Option("--online", "-o", help="Make one call per account and watch, and try the way to each receiver."),
]


def doctor(config: ConfigOption = None, online: OnlineOption = False, as_json: JsonOption = False) -> None:
    """Examine the store, the secrets, the daemon and this machine.

    Each with a verdict (ok, warning, fault), what was found, and what to do. Reads every secret that the
    configuration names and shows none, so run it as the watcher's user and with its environment.
    """
    with plain_errors():
        settings = load_config(config)
        out = screen()
        found = []
        for item in _examine(settings, online=online):
            found.append(item)
            if not as_json:
                show(item, out)
    if as_json:
        out.json({"examined": [item.as_json() for item in found]})
    raise typer.Exit(ExitStatus.FAILED if any(item.verdict == "fault" for item in found) else ExitStatus.OK)


def _examine(config: Config, *, online: bool) -> Iterator[DoctorCheck]:
    from watcher.cli.runtime import quiet_logs, run_async, runtime
    from watcher.reports.doctor import examine, warning

    around = runtime(quiet_logs(verbose=False))
    yield from examine(config, os.environ, around.secret)
    if online:
        yield from run_async(_collect(config, around))
    else:
        yield warning("clock, reachability", "not tried", "aitems-watcher doctor --online")


async def _collect(config: Config, around: Runtime) -> list[DoctorCheck]:
    return [item async for item in _online(config, around)]


async def _online(config: Config, around: Runtime) -> AsyncIterator[DoctorCheck]:
    from watcher.cli.commands.online import online_checks
    from watcher.reports.doctor import fault, ok

    async for online_check in online_checks(config, around):
        if online_check.good:
            yield ok(online_check.about, online_check.detail)
        else:
            words = f"{online_check.cause}: {online_check.detail}" if online_check.cause else online_check.detail
            yield fault(online_check.about, words, online_check.advice or "see docs/operations.md")
        for clock in _clock(online_check):
            yield clock


def _clock(online_check: OnlineCheck) -> Iterator[DoctorCheck]:
    from watcher.reports.doctor import fault, ok

    if online_check.skew_seconds is None or not online_check.about.startswith("account "):
        return
    about, detail = f"clock, by {online_check.about}", f"{online_check.skew_seconds:+.0f} s from ours"
    if abs(online_check.skew_seconds) > MAX_CLOCK_SKEW_SECONDS:
        yield fault(about, detail, "set this machine's clock: systemctl status systemd-timesyncd, or chronyc tracking")
    else:
        yield ok(about, detail)


def show(item: DoctorCheck, out: Screen) -> None:
    """Write one line on what was looked at, and one on what to do."""
    about = cell(item.about)
    gap = " " * max(1, ABOUT_WIDTH - width(about.text))
    out.line(about, gap, Cell(f"{item.verdict:8}", STYLES[item.verdict]), cell(item.detail))
    if item.remedy:
        out.line(" " * ABOUT_WIDTH, cell(item.remedy))
    out.flush()
