"""The client of an account, from its settings."""

from __future__ import annotations

from contextlib import AsyncExitStack

import structlog

from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.config import AccountSettings, SecretError
from watcher.http import HttpClient, HttpSettings
from watcher.wiring.surroundings import Surroundings

log = structlog.get_logger()


class AccountKeys:
    """An account's keys, read anew for each request, so that a file that was rotated is picked up."""

    def __init__(self, settings: AccountSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._pair = self._read()

    def current(self) -> KeyPair:
        """Return the keys as they are now; while a file is being replaced, as they were."""
        try:
            self._pair = self._read()
        except SecretError as error:
            log.warning("secret.unreadable", problem=str(error))
        return self._pair

    def _read(self) -> KeyPair:
        secret = self._surroundings.secret
        return KeyPair(secret(self._settings.access_key), secret(self._settings.secret_key))


def make_api(name: str, settings: AccountSettings, surroundings: Surroundings, stack: AsyncExitStack) -> AitemsClient:
    """Make the client of one account; its connections are closed with ``stack``."""
    http = HttpClient(
        HttpSettings(
            timeout_seconds=settings.timeout.total_seconds(),
            max_connections=settings.max_concurrency,
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            client_cert=settings.client_cert,
        ),
        surroundings.clock,
    )
    stack.push_async_callback(http.aclose)
    budget = Budget(
        per_second=settings.requests_per_second, max_concurrency=settings.max_concurrency, clock=surroundings.clock
    )
    account = AccountSpec(name=name, base_url=settings.base_url, keys=AccountKeys(settings, surroundings))
    return AitemsClient(http, account, surroundings.clock, budget)
