"""``discover``: the services and trainings of the accounts, as watches to paste."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.text.layout import Cell
from watcher.cli.text.output import Screen, say, screen

if TYPE_CHECKING:
    from watcher.aitems.client import AitemsClient
    from watcher.aitems.wire import ServiceInfo
    from watcher.config import Config
    from watcher.reports.discovery import FoundAccount, FoundService
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher discover --account main",
    "aitems-watcher discover >> config.toml",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "a call failed", ExitStatus.CONFIG: ""},
)

AccountOption = Annotated[
    str | None, typer.Option("--account", "-a", metavar="NAME", help="Only this account of the configuration.")
]


def discover(config: ConfigOption = None, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """List services and trainings, as watches to paste.

    Prints a [[watch]] block for each service, and a commented block for each training. It changes nothing.
    """
    with plain_errors():
        # Before the first discovery there is no watch yet: an account is enough.
        settings = load_config(config, {"account"})
        names = _accounts(settings, account)
        found = _discover(settings, names)
    out = screen()
    if as_json:
        from watcher.reports.discovery import account_json

        out.json({"accounts": [account_json(item) for item in found]})
    else:
        _show(found, out)
    raise typer.Exit(_report_failures(found))


def _accounts(config: Config, wanted: str | None) -> list[str]:
    if wanted is None:
        return list(config.accounts)
    if wanted not in config.accounts:
        known = ", ".join(config.accounts)
        raise typer.BadParameter(f"there is no such account; there are: {known}", param_hint="--account")
    return [wanted]


def _show(found: list[FoundAccount], out: Screen) -> None:
    from watcher.reports.discovery import blocks

    for item in found:
        for line in blocks(item):
            out.line(Cell(line))


def _report_failures(found: list[FoundAccount]) -> ExitStatus:
    from watcher.reports.discovery import failure_lines

    lines = [line for item in found for line in failure_lines(item)]
    for line in lines:
        say(line)
    return ExitStatus.FAILED if lines else ExitStatus.OK


def _discover(config: Config, names: list[str]) -> list[FoundAccount]:
    from watcher.cli.runtime import quiet_logs, run_async, runtime

    return run_async(_call(config, names, runtime(quiet_logs(verbose=False))))


async def _call(config: Config, names: list[str], process: Runtime) -> list[FoundAccount]:
    from watcher.app import make_api

    async with AsyncExitStack() as stack:
        apis = {name: make_api(name, config.accounts[name], process, stack) for name in names}
        return await asyncio.gather(*(_account(name, api) for name, api in apis.items()))


async def _account(name: str, api: AitemsClient) -> FoundAccount:
    from watcher.core.polling.result import PollFailure
    from watcher.reports.discovery import FoundAccount

    answer = await api.services()
    if isinstance(answer, PollFailure):
        return FoundAccount(account=name, services=answer)
    services = await asyncio.gather(*(_service(service, api) for service in answer.services))
    return FoundAccount(account=name, services=services)


async def _service(service: ServiceInfo, api: AitemsClient) -> FoundService:
    from watcher.core.polling.result import PollFailure
    from watcher.reports.discovery import FoundService

    answer = await api.list(service.ref)
    trainings = answer if isinstance(answer, PollFailure) else answer.observations
    return FoundService(ref=service.ref, name=service.name, trainings=trainings)
