"""What a configuration becomes outside of the river: a client for each account, and the receivers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from watcher.config import Config, SecretError, SecretsError
from watcher.config.references import secrets_of
from watcher.core.delivery.receiver import Receiver
from watcher.core.observer import Observer
from watcher.pipeline.observer import ObservedApi
from watcher.pipeline.ports import Api
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.receivers import make_receiver
from watcher.wiring.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Everything of one configuration that holds connections."""

    config: Config
    apis: Mapping[str, Api]
    receivers: Mapping[str, Receiver]
    connections: AsyncExitStack
    """Closes all of them."""


async def make_connections(
    config: Config,
    runtime: Runtime,
    extra_receivers: Mapping[str, Receiver],
    budgets: Budgets,
    observer: Observer,
) -> Connections:
    """Make the parts, or none of them.

    Raises:
        SecretsError: secrets cannot be had; all of them are named.
        InvalidReceiverError: a receiver's secret or address cannot be used.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    check_secrets(config, runtime)
    async with AsyncExitStack() as stack:
        receivers: dict[str, Receiver] = {}
        for name, settings in config.receivers.items():
            receivers[name] = make_receiver(name, settings, runtime, stack)
        apis: dict[str, Api] = {}
        for name, account in config.accounts.items():
            apis[name] = ObservedApi(name, make_api(name, account, runtime, stack, budgets), observer)
        return Connections(
            config=config, apis=apis, receivers=receivers | dict(extra_receivers), connections=stack.pop_all()
        )


def check_secrets(config: Config, runtime: Runtime) -> None:
    """Fetch every secret once, so that whoever mends one of them knows of the others too.

    Raises:
        SecretsError: some cannot be had.
    """
    problems = []
    for key, ref in secrets_of(config):
        try:
            runtime.secret(ref)
        except SecretError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise SecretsError(problems)
