"""The control socket's handlers for commands that need secrets, which only the daemon may have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from watcher.config import Config, ConfigError, SecretError, load
from watcher.control.protocol import ControlError, Handler, Report, ReportingHandler, SetupRefusedError
from watcher.http import HttpSetupError
from watcher.receivers import InvalidReceiverError
from watcher.reports.discovery import Form, report_of
from watcher.reports.receiver_check import access_json, outcome_json
from watcher.wiring.accounts import Budgets
from watcher.wiring.alert_test import try_receiver
from watcher.wiring.budget_waits import BudgetUse
from watcher.wiring.discovery import discover
from watcher.wiring.online_checks import online_checks
from watcher.wiring.runtime import Runtime
from watcher.wiring.secret_facts import secret_facts

Arguments = Mapping[str, object]
Work = Callable[[Config, Arguments, Report], Awaitable[Arguments]]
NO_SECTION: Final[tuple[str, ...]] = ()


def secret_handlers(runtime: Runtime, budgets: Budgets, active: Callable[[], Config]) -> dict[str, Handler]:
    """Return the handlers, by command.

    Each takes the text of a configuration, which may be newer than the active one.

    Args:
        runtime: has the secrets.
        budgets: the budgets of requests of the active configuration.
        active: returns that configuration.
    """

    def use(config: Config, report: Report) -> BudgetUse:
        """Return the daemon's budgets, unless another configuration would change them."""
        own = budgets if config.accounts == active().accounts else Budgets()
        return BudgetUse(own, lambda wait: report(asdict(wait)))

    async def check(config: Config, _arguments: Arguments, report: Report) -> Arguments:
        return {"checks": [item.as_json() async for item in online_checks(config, runtime, use(config, report))]}

    async def secrets(config: Config, _arguments: Arguments, _report: Report) -> Arguments:
        return {"secrets": [asdict(item) for item in secret_facts(config, runtime.secret)]}

    async def find(config: Config, arguments: Arguments, report: Report) -> Arguments:
        wanted = arguments.get("accounts")
        names = [name for name in config.accounts if isinstance(wanted, list) and name in wanted]
        services_only = arguments.get("services_only") is True
        found = await discover(config, names, runtime, use(config, report), services_only=services_only)
        # A hundred thousand trainings take seconds; polls and deliveries go on meanwhile.
        report_in_forms = await asyncio.to_thread(report_of, found, _forms(arguments))
        return report_in_forms.as_json()

    async def test(config: Config, arguments: Arguments, _report: Report) -> Arguments:
        name = str(arguments.get("receiver"))
        if name not in config.receivers:
            raise ControlError(f"there is no [receiver.{name}]")
        outcome, access = await try_receiver(name, config, runtime)
        return {**outcome_json(outcome), "slack": None if access is None else access_json(access)}

    works = {"check.online": check, "doctor.secrets": secrets, "discover": find, "test": test}
    return {command: _with_configuration(work, active) for command, work in works.items()}


def _with_configuration(work: Work, active: Callable[[], Config]) -> Handler:
    """Wrap a handler: it reads the configuration, and an expected error becomes the socket's own."""

    async def serve(arguments: Arguments, report: Report) -> Arguments:
        try:
            config = await asyncio.to_thread(_configuration, arguments, active)
            return await work(config, arguments, report)
        except (SecretError, HttpSetupError, InvalidReceiverError) as error:
            raise SetupRefusedError(str(error)) from None

    return ReportingHandler(serve)


def _forms(arguments: Arguments) -> list[Form]:
    """Return the forms of a report that the command uses; an older one names none and uses any."""
    wanted = arguments.get("forms")
    return [form for form in Form if not isinstance(wanted, list) or form in wanted]


def _configuration(arguments: Arguments, active: Callable[[], Config]) -> Config:
    """Read the configuration of a request; while the file is faulty or unreadable, the active one counts."""
    path, text = arguments.get("path"), arguments.get("text")
    if not isinstance(path, str) or not isinstance(text, str):
        return active()
    try:
        return load(Path(path), text=text, needed=NO_SECTION)
    except ConfigError:
        return active()
