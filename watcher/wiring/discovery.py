"""The services and trainings of accounts, for ``discover``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from watcher.aitems.client import AitemsClient
from watcher.aitems.wire import ServiceInfo
from watcher.config import Config
from watcher.config.references import references
from watcher.core.polling.result import PollFailure
from watcher.reports.discovery import FoundAccount, FoundService
from watcher.wiring.accounts import make_api
from watcher.wiring.budget_waits import BudgetUse, saying_waits
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import require_secrets


async def discover(
    config: Config,
    names: Sequence[str],
    process: Runtime,
    use: BudgetUse | None = None,
    *,
    services_only: bool = False,
) -> list[FoundAccount]:
    """List the services of these accounts, and their trainings unless not wanted, all at the same time.

    Raises:
        SecretsError: keys cannot be read; the error names those of all accounts.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    use = use or BudgetUse()
    keys = (entry for name in names for entry in references(f"account.{name}", config.accounts[name]))
    require_secrets(keys, process)
    async with AsyncExitStack() as stack, saying_waits(use, process.clock):
        apis = {
            name: make_api(name, config.accounts[name], process, stack, use.budgets, patient=True) for name in names
        }
        return await asyncio.gather(*(_account(name, api, services_only=services_only) for name, api in apis.items()))


async def _account(name: str, api: AitemsClient, *, services_only: bool) -> FoundAccount:
    answer = await api.services()
    if isinstance(answer, PollFailure):
        return FoundAccount(account=name, services=answer)
    if services_only:
        found = [FoundService(ref=service.ref, name=service.name, trainings=()) for service in answer.services]
        return FoundAccount(account=name, services=found)
    services = await asyncio.gather(*(_service(service, api) for service in answer.services))
    return FoundAccount(account=name, services=services)


async def _service(service: ServiceInfo, api: AitemsClient) -> FoundService:
    answer = await api.list(service.ref)
    trainings = answer if isinstance(answer, PollFailure) else answer.observations
    return FoundService(ref=service.ref, name=service.name, trainings=trainings)
