"""``run``: the daemon, until it is told to stop."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors, status_of
from watcher.cli.options import ConfigOption, VerboseOption, find_config
from watcher.cli.runtime import run_async, runtime, stop_on_signals

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.logs import Redactor

END: Final = help_end(
    "aitems-watcher run --config /etc/aitems-watcher/config.toml",
    statuses={
        ExitStatus.OK: "stopped in order",
        ExitStatus.FAILED: "a fault of the watcher itself; the last log line has it",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)


def run(config: ConfigOption = None, verbose: VerboseOption = False) -> None:
    """Watch, until SIGTERM or Ctrl-C.

    Log lines are JSON on standard output. SIGHUP reads the configuration again, as the command reload does. It stops
    in order: no more looks are started, those under way and deliveries get a few seconds, and what is left over is
    done by the next start.
    """
    from watcher import logs as telemetry
    from watcher.config import load

    # A loop that hangs is ended by systemd's watchdog with SIGABRT: the log then holds where each thread stood.
    faulthandler.enable()
    redactor = telemetry.Redactor()
    telemetry.configure(redactor, verbose=verbose)
    with plain_errors():
        found = find_config(config)
        settings = load(found.path)
        _log("config.loaded", file=str(found.path), why=found.why)
        _warn_over_budget(settings)
        run_async(_guarded(settings, redactor))


def _warn_over_budget(config: Config) -> None:
    """Say that looks come later than asked; ``check`` refuses the plan, here the budget is kept."""
    import structlog

    from watcher.config.to_core import polls_of
    from watcher.reports.plan import over_budget

    problems = over_budget(config, polls_of(config))
    if problems:
        structlog.get_logger().warning("plan.over_budget", problems=problems)


async def _guarded(settings: Config, redactor: Redactor) -> None:
    """Watch; a fault ends in a log line, which is redacted, and not in a traceback, which would not be."""
    try:
        await _watch(settings, redactor)
    except Exception as error:
        if status_of(error) is not None:
            raise
        import structlog

        structlog.get_logger().exception("watcher.fault")
        raise typer.Exit(ExitStatus.FAILED) from None


async def _watch(settings: Config, redactor: Redactor) -> None:
    from watcher.app import open_daemon

    stop = asyncio.Event()
    stop_on_signals(stop)
    # By default SIGHUP would end the process without order; what was read a moment ago need not be read again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with open_daemon(settings, runtime(redactor), purpose="run") as daemon:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, daemon.reloader.reload_soon)
        await daemon.run(stop)


def _log(event: str, **keys: str) -> None:
    import structlog

    structlog.get_logger().info(event, **keys)
