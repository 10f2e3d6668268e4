"""``doctor``: checks of the store, the secrets, the daemon and this machine, each with a remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_usable_config
from watcher.cli.text.output import screen
from watcher.cli.text.verdicts import show_doctor_check

if TYPE_CHECKING:
    from watcher.config import Config, ConfigError
    from watcher.reports.doctor import DoctorCheck
    from watcher.reports.online import OnlineCheck
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher doctor --config /etc/aitems-watcher/config.toml",
    "aitems-watcher doctor --online",
    statuses={
        ExitStatus.OK: "no fault; there may be warnings",
        ExitStatus.FAILED: "a fault",
        ExitStatus.CONFIG: "there is no configuration",
    },
)

OnlineOption = Annotated[
    bool,
    typer.Option("--online", "-o", help="Make one call per account and watch, and connect to each receiver."),
]


def doctor(config: ConfigOption = None, online: OnlineOption = False, as_json: JsonOption = False) -> None:
    """Examine the store, the secrets, the daemon and this machine.

    Each check has a verdict (ok, warning, fault), a detail and a remedy. A running daemon checks the secrets, which it
    alone may have; without one the command reads them itself. It shows none. Root sees what the watcher's user cannot.
    A store that does not exist yet is a warning; one that its daemon or its backups show to be lost is a fault.
    """
    with plain_errors():
        settings, faulty = load_usable_config(config)
        out = screen()
        checks = []
        for item in _checks(settings, faulty, online=online, short=not as_json):
            checks.append(item)
            if not as_json:
                show_doctor_check(item, out)
    if as_json:
        out.json({"checks": [item.as_json() for item in checks]})
    raise typer.Exit(ExitStatus.FAILED if any(item.verdict == "fault" for item in checks) else ExitStatus.OK)


def _checks(config: Config, faulty: ConfigError | None, *, online: bool, short: bool) -> Iterator[DoctorCheck]:
    from watcher.cli.commands.doctor_facts import local_checks
    from watcher.cli.from_daemon import checks_of_daemon
    from watcher.cli.runtime import quiet_logs, run_async, runtime
    from watcher.reports.doctor import configuration_checks, online_checks_skipped, online_verdicts
    from watcher.reports.online import FirstFailures

    process = runtime(quiet_logs(verbose=False))
    yield from configuration_checks(() if faulty is None else faulty.faults)
    yield from local_checks(config, os.environ, process.secret)
    if not online:
        yield online_checks_skipped()
        return
    answered, failures = checks_of_daemon(config), FirstFailures()
    for check in run_async(_online_checks(config, process)) if answered is None else answered:
        yield from online_verdicts(failures.shortened(check) if short else check)


async def _online_checks(config: Config, process: Runtime) -> list[OnlineCheck]:
    from watcher.cli.from_daemon import say_wait
    from watcher.wiring.budget_waits import BudgetUse
    from watcher.wiring.online_checks import online_checks

    return [check async for check in online_checks(config, process, BudgetUse(on_wait=say_wait))]
