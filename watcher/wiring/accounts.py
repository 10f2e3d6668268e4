"""The client of an account, from its settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.config import AccountSettings, SecretError
from watcher.http import HttpClient, HttpSettings
from watcher.wiring.runtime import Runtime

log = structlog.get_logger()


class AccountKeys:
    """An account's keys, read anew for each request, so that a file that was rotated is picked up."""

    def __init__(self, settings: AccountSettings, runtime: Runtime) -> None:
        self._settings = settings
        self._runtime = runtime
        self._pair = self._read()

    def current(self) -> KeyPair:
        """Return the keys as they are now; while a file is being replaced, as they were."""
        try:
            self._pair = self._read()
        except SecretError as error:
            log.warning("secret.read_failed", problem=str(error))
        return self._pair

    def _read(self) -> KeyPair:
        secret = self._runtime.secret
        return KeyPair(secret(self._settings.access_key), secret(self._settings.secret_key))


class Budgets:
    """The accounts' request budgets; one outlives the client, so that a reload lifts no pause and doubles no rate."""

    def __init__(self, on_request: Callable[[str], None] | None = None) -> None:
        self._on_request = on_request
        self._kept: dict[str, tuple[float, int, Budget]] = {}

    def of(self, name: str, settings: AccountSettings, clock: Clock) -> Budget:
        """Return the account's budget; a new one where there is none, or where it is to be another."""
        rate, concurrency, budget = self._kept.get(name) or (0.0, 0, None)
        if budget is None or (rate, concurrency) != (settings.requests_per_second, settings.max_concurrency):
            is_another = budget is not None
            rate, concurrency = settings.requests_per_second, settings.max_concurrency
            note = None if self._on_request is None else partial(self._on_request, name)
            budget = Budget(per_second=rate, max_concurrency=concurrency, clock=clock, on_request=note)
            self._kept[name] = (rate, concurrency, budget)
            if is_another:
                # What the old one let through may still be on the wire.
                budget.pause_for(1.0)
        return budget


def make_api(
    name: str,
    settings: AccountSettings,
    runtime: Runtime,
    stack: AsyncExitStack,
    budgets: Budgets | None = None,
) -> AitemsClient:
    """Make the client of one account; its connections are closed with ``stack``."""
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
    return AitemsClient(http, account, runtime.clock, budget)
