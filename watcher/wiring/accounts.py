"""Make the client of an account from its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial

from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.config import AccountSettings, SecretError
from watcher.config.references import references
from watcher.core.polling.rate_limit import BudgetWait
from watcher.http import HttpClient, HttpSettings
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import ReadLog, require_secrets


class AccountKeys:
    """The keys of an account, read again for each request, so that a rotated file takes effect."""

    def __init__(self, settings: AccountSettings, runtime: Runtime) -> None:
        self._settings = settings
        self._runtime = runtime
        self._pair = self._read()
        self._log = ReadLog(f"{settings.access_key}, {settings.secret_key}")

    def current(self) -> KeyPair:
        """Return the current keys; while a file cannot be read, the last ones that were read."""
        try:
            self._pair = self._read()
        except SecretError as error:
            self._log.note(str(error))
        else:
            self._log.note()
        return self._pair

    def _read(self) -> KeyPair:
        secret = self._runtime.secret
        return KeyPair(secret(self._settings.access_key), secret(self._settings.secret_key))


class Budgets:
    """The request budgets of the accounts.

    A budget outlives the client, so that a reload neither ends a pause nor doubles the rate.
    """

    def __init__(self, on_request: Callable[[str], None] | None = None) -> None:
        self._on_request = on_request
        self._budgets: dict[str, tuple[float, int, Budget]] = {}

    def of(self, name: str, settings: AccountSettings, clock: Clock) -> Budget:
        """Return the account's budget; make a new one where none exists, or where its settings changed."""
        rate, concurrency, budget = self._budgets.get(name) or (0.0, 0, None)
        if budget is None or (rate, concurrency) != (settings.requests_per_second, settings.max_concurrency):
            replaces_old = budget is not None
            rate, concurrency = settings.requests_per_second, settings.max_concurrency
            note = None if self._on_request is None else partial(self._on_request, name)
            budget = Budget(per_second=rate, max_concurrency=concurrency, clock=clock, on_request=note)
            self._budgets[name] = (rate, concurrency, budget)
            if replaces_old:
                # Requests that the old budget permitted may still be in progress.
                budget.pause_for(1.0)
        return budget

    def waits(self) -> Iterator[BudgetWait]:
        """Yield the accounts whose requests wait."""
        for name, (_, _, budget) in self._budgets.items():
            if (wait := budget.wait_of(name)) is not None:
                yield wait


def make_api(  # noqa: PLR0913 - wired once for each use
    name: str,
    settings: AccountSettings,
    runtime: Runtime,
    stack: AsyncExitStack,
    budgets: Budgets | None = None,
    *,
    patient: bool = False,
) -> AitemsClient:
    """Make the client of one account; ``stack`` closes its connections.

    A ``patient`` client waits for the confirmation of each list's end: for a command that reads every list once.

    Raises:
        SecretsError: keys cannot be read; the error names both where both are missing.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    require_secrets(references(f"account.{name}", settings), runtime)
    http = HttpClient(
        HttpSettings(
            timeout_seconds=settings.timeout.total_seconds(),
            max_connections=settings.max_concurrency,
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            client_cert=settings.client_cert,
        ),
        runtime.clock,
    )
    stack.push_async_callback(http.aclose)
    budget = (budgets or Budgets()).of(name, settings, runtime.clock)
    account = AccountSpec(name=name, base_url=settings.base_url, keys=AccountKeys(settings, runtime))
    return AitemsClient(http, account, runtime.clock, budget, patient=patient)
