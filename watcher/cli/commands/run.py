"""``run``: the daemon."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors, status_of
from watcher.cli.options import ConfigOption, VerboseOption, find_config
from watcher.cli.runtime import run_async, runtime, stop_on_signals
from watcher.cli.store_access import place_of_store
from watcher.first_steps import hold_hangups, take_hangups

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher run --config /etc/aitems-watcher/config.toml",
    statuses={
        ExitStatus.OK: "stopped by a signal",
        ExitStatus.FAILED: "a fault of the watcher itself; see the last log line",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)


def run(config: ConfigOption = None, verbose: VerboseOption = False) -> None:
    """Poll and send messages until SIGTERM or Ctrl-C.

    Log lines are JSON on standard output. SIGHUP reads the configuration again, as the command reload does. To stop,
    the daemon starts no more polls and gives running polls and deliveries a few seconds; the next start does the rest.
    """
    from watcher import logs as telemetry
    from watcher.config import load

    # systemd's watchdog ends a hanging loop with SIGABRT: the log then has the stack of each thread.
    faulthandler.enable()
    redactor = telemetry.Redactor()
    writer = telemetry.configure(redactor, verbose=verbose)
    with plain_errors():
        found = find_config(config)
        settings = load(found.path)
        _log("config.loaded", file=str(found.path), why=found.why)
        _warn_over_budget(settings)
        place_of_store(settings, os.environ)
        run_async(_guarded(settings, runtime(redactor, writer)))


def _warn_over_budget(config: Config) -> None:
    """Log that the budget delays polls; ``check`` refuses such a plan, but a daemon must run."""
    import structlog

    from watcher.config.to_core import polls_of
    from watcher.reports.plan import over_budget

    problems = over_budget(config, polls_of(config))
    if problems:
        structlog.get_logger().warning("plan.over_budget", problems=problems)


async def _guarded(settings: Config, process: Runtime) -> None:
    """Run the daemon; log a fault as a redacted line, since a traceback might show a secret."""
    try:
        await _watch(settings, process)
    except Exception as error:
        if status_of(error) is not None:
            raise
        import structlog

        structlog.get_logger().exception("watcher.fault")
        raise typer.Exit(ExitStatus.FAILED) from None


async def _watch(settings: Config, process: Runtime) -> None:
    from watcher.app import open_daemon

    stop = asyncio.Event()
    stop_on_signals(stop)
    hold_hangups()
    async with open_daemon(settings, process, purpose="run") as daemon:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, daemon.reloader.reload_soon)
        take_hangups()
        await daemon.run(stop)
        # The loop, which handles it, ends before the process.
        hold_hangups()


def _log(event: str, **keys: str) -> None:
    import structlog

    structlog.get_logger().info(event, **keys)
