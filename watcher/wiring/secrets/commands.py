"""The work of the control socket's commands that need secrets; loaded when one of them is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

from watcher.config import Config
from watcher.control.protocol import Report
from watcher.operations.errors import OperationRefusedError
from watcher.operations.receiver_test import ReceiverTest, record_test
from watcher.reports.discovery import Form, report_of
from watcher.reports.receiver_check import access_json, outcome_json
from watcher.store.actions import ActionLog
from watcher.wiring.accounts import Budgets
from watcher.wiring.alert_test import try_receiver
from watcher.wiring.budget_waits import BudgetUse
from watcher.wiring.discovery import discover
from watcher.wiring.online_checks import online_checks
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.facts import secret_facts

Arguments = Mapping[str, object]
Work = Callable[[Config, Arguments, Report], Awaitable[Arguments]]


def works(runtime: Runtime, budgets: Budgets, active: Callable[[], Config], actions: ActionLog) -> Mapping[str, Work]:
    """Return the work of each command; the arguments are those of ``secret_handlers``."""

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
        request = ReceiverTest.from_json(arguments)
        if request.receiver not in config.receivers:
            raise OperationRefusedError(f"there is no [receiver.{request.receiver}]")
        ask_access = arguments.get("access") is not False
        outcome, access = await try_receiver(request.receiver, config, runtime, ask_access=ask_access)
        is_recorded = await record_test(actions, request, outcome, runtime.clock.utc_now())
        slack = None if access is None else access_json(access)
        return {**outcome_json(outcome), "slack": slack, "recorded": is_recorded}

    return {"check.online": check, "doctor.secrets": secrets, "discover": find, "test": test}


def _forms(arguments: Arguments) -> list[Form]:
    """Return the forms of a report that the command uses; an older one names none and uses any."""
    wanted = arguments.get("forms")
    return [form for form in Form if not isinstance(wanted, list) or form in wanted]
