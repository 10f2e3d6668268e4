"""The clients and receivers of one configuration: everything that holds connections."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from watcher.config import Config
from watcher.config.references import secrets_of
from watcher.core.delivery.receiver import Receiver
from watcher.core.observer import Observer
from watcher.pipeline.observer import ObservedApi
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.receivers import make_receiver
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import require_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The clients and receivers of one configuration."""

    config: Config
    apis: Mapping[str, ObservedApi]
    receivers: Mapping[str, Receiver]
    stack: AsyncExitStack
    """Closes all of them."""

    async def aclose(self) -> None:
        """Close each client after its last call; calls in progress end normally."""
        await self.stack.aclose()


async def make_connections(  # noqa: PLR0913 - wired once
    config: Config,
    runtime: Runtime,
    extra_receivers: Mapping[str, Receiver],
    budgets: Budgets,
    observer: Observer,
    *,
    patient: bool = False,
) -> Connections:
    """Make every client and receiver, or none; ``patient`` is as for ``make_api``.

    Raises:
        SecretsError: secrets cannot be read; the error names all of them.
        InvalidReceiverError: a receiver's secret or address cannot be used.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    require_secrets(secrets_of(config), runtime)
    async with AsyncExitStack() as stack:
        receivers: dict[str, Receiver] = {}
        for name, settings in config.receivers.items():
            receivers[name] = make_receiver(name, settings, runtime, stack, config.accounts)
        apis: dict[str, ObservedApi] = {}
        for name, account in config.accounts.items():
            api = make_api(name, account, runtime, stack, budgets, patient=patient)
            apis[name] = ObservedApi(name, api, observer)
        return Connections(config=config, apis=apis, receivers=receivers | dict(extra_receivers), stack=stack.pop_all())
