"""The peers that cannot be reached, because the environment names a proxy of an unknown kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from watcher.config import Config, LogSettings, SecretRef, SlackSettings, SlackWebhookSettings
from watcher.http import HttpSetupError
from watcher.http.environment_proxy import environment_proxy

SLACK_WEBHOOKS: Final = "https://hooks.slack.com/"
"""The usual host of incoming webhooks; the address itself is a secret, which ``check`` does not read."""


def proxy_faults(config: Config) -> list[str]:
    """Return a line for each account, receiver and heartbeat whose proxy is unusable; a secret address is left out."""
    return [fault for about, url in _peers(config) if (fault := _fault(about, url)) is not None]


def _peers(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the peers without a proxy of their own, with their addresses."""
    for name, account in config.accounts.items():
        if account.proxy is None:
            yield f"account {name}", account.base_url
    for name, receiver in config.receivers.items():
        if isinstance(receiver, LogSettings) or receiver.proxy is not None:
            continue
        if isinstance(receiver, SlackSettings):
            yield f"receiver {name}", receiver.api_url
        elif isinstance(receiver, SlackWebhookSettings):
            yield f"receiver {name}", SLACK_WEBHOOKS
        elif not isinstance(receiver.url, SecretRef):
            yield f"receiver {name}", receiver.url
    if isinstance(config.heartbeat.url, str):
        yield "heartbeat", config.heartbeat.url


def _fault(about: str, url: str) -> str | None:
    parts = urlsplit(url)
    try:
        environment_proxy(parts.scheme, parts.hostname or "", parts.port)
    except HttpSetupError as error:
        return f"{about}: {error}"
    return None
