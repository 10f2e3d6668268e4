"""Make a receiver from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Final

from watcher.config import (
    AccountSettings,
    LogSettings,
    ReceiverSettings,
    SecretRef,
    SlackSettings,
    SlackWebhookSettings,
    WebhookSettings,
)
from watcher.config.references import references
from watcher.core.delivery.receiver import CONNECTIONS, Receiver
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import KINDS, Spec
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import CurrentHeaders, CurrentSecret, require_secrets
from watcher.wiring.style import style_of

RECEIVER_TIMEOUT_SECONDS: Final = 20.0
"""The deadline of one attempt; Standard Webhooks advises 15 to 30 s."""

NO_ACCOUNTS: Final[Mapping[str, AccountSettings]] = MappingProxyType({})


def make_receiver(
    name: str,
    settings: ReceiverSettings,
    runtime: Runtime,
    stack: AsyncExitStack,
    accounts: Mapping[str, AccountSettings] = NO_ACCOUNTS,
) -> Receiver:
    """Make one receiver from its settings; ``stack`` closes its connections.

    Messages name the account of a service where there are several ``accounts``.

    Raises:
        SecretsError: secrets cannot be read; the error names all of them.
        InvalidReceiverError: a secret or an address cannot be used.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    require_secrets(references(f"receiver.{name}", settings), runtime)
    http = HttpClient(_receiver_http(settings), runtime.clock)
    stack.push_async_callback(http.aclose)
    spec = Spec(
        name=name,
        http=http,
        clock=runtime.clock,
        style=style_of(name, accounts),
        writer=runtime.output,
        url=_url(settings, runtime),
        secret=_secret_source(settings, runtime),
        headers=_headers(settings, runtime),
        channel=settings.channel if isinstance(settings, SlackSettings) else "",
        api_url=settings.api_url if isinstance(settings, SlackSettings) else "",
    )
    return KINDS[settings.kind](spec)


def _receiver_http(settings: ReceiverSettings) -> HttpSettings:
    if isinstance(settings, LogSettings):
        return HttpSettings()
    return HttpSettings(
        timeout_seconds=RECEIVER_TIMEOUT_SECONDS,
        max_connections=CONNECTIONS,
        proxy=settings.proxy,
        ca_file=settings.ca_file,
        client_cert=settings.client_cert,
        guarded=True,
    )


def _url(settings: ReceiverSettings, runtime: Runtime) -> Callable[[], Secret] | Secret | None:
    match settings:
        case WebhookSettings(url=SecretRef() as ref) | SlackWebhookSettings(url=ref):
            return CurrentSecret(ref, runtime)
        case WebhookSettings(url=str() as plain):
            return Secret(plain)
        case _:
            return None


def _secret_source(settings: ReceiverSettings, runtime: Runtime) -> Callable[[], Secret] | None:
    match settings:
        case WebhookSettings(secret=SecretRef() as ref) | SlackSettings(token=ref):
            pass
        case _:
            return None
    return CurrentSecret(ref, runtime)


def _headers(settings: ReceiverSettings, runtime: Runtime) -> Mapping[str, Secret]:
    if not isinstance(settings, WebhookSettings):
        return {}
    return CurrentHeaders(settings.headers, runtime)
