"""``discover``: the services and trainings of the accounts, as watches to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.text.layout import Cell
from watcher.cli.text.output import say, screen

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.reports.discovery import DiscoveryReport

END: Final = help_end(
    "aitems-watcher discover --account main",
    "aitems-watcher discover >> config.toml",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "a call failed", ExitStatus.CONFIG: ""},
)

AccountOption = Annotated[
    str | None, typer.Option("--account", "-a", metavar="NAME", help="Only this account of the configuration.")
]
ServicesOption = Annotated[bool, typer.Option("--services-only", help="No trainings: one list an account.")]


def discover(
    config: ConfigOption = None,
    account: AccountOption = None,
    services_only: ServicesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List services and trainings, as watches to paste.

    Prints a [[watch]] block for each service, and a commented block for each training. It changes nothing.
    A running daemon makes the calls, since it has the secrets.
    """
    with plain_errors():
        # Before the first discovery there is no watch yet: an account is enough.
        settings = load_config(config, {"account"})
        names = _accounts(settings, account)
        report = _discover(settings, names, services_only=services_only, as_json=as_json)
    out = screen()
    if as_json:
        out.json({"accounts": report.accounts})
    else:
        for line in report.blocks:
            out.line(Cell(line))
    for line in report.failures:
        say(line)
    raise typer.Exit(ExitStatus.FAILED if report.failures else ExitStatus.OK)


def _accounts(config: Config, wanted: str | None) -> list[str]:
    if wanted is None:
        return list(config.accounts)
    if wanted not in config.accounts:
        known = ", ".join(config.accounts)
        raise typer.BadParameter(f"there is no such account; there are: {known}", param_hint="--account")
    return [wanted]


def _discover(config: Config, names: list[str], *, services_only: bool, as_json: bool) -> DiscoveryReport:
    """Discover inside the daemon, which has the secrets, or here."""
    from watcher.cli.from_daemon import found_by_daemon, say_wait
    from watcher.cli.runtime import quiet_logs, run_async, runtime
    from watcher.reports.discovery import Form, report_of

    form = Form.ACCOUNTS if as_json else Form.BLOCKS
    found = found_by_daemon(config, names, form, services_only=services_only)
    if found is not None:
        return found
    from watcher.wiring.budget_waits import BudgetUse
    from watcher.wiring.discovery import discover as find

    process = runtime(quiet_logs(verbose=False))
    use = BudgetUse(on_wait=say_wait)
    return report_of(run_async(find(config, names, process, use, services_only=services_only)), [form])
