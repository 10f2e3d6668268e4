"""The references to secrets in a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from watcher.config.models.base import Settings
from watcher.config.models.settings import Config
from watcher.config.secrets import SecretKind, SecretRef


def fixed_secrets(config: Config) -> tuple[str, ...]:
    """Return the keys of the secrets that a running process cannot read again."""
    return tuple(f"{key} ({ref})" for key, ref in secrets_of(config) if ref.kind is not SecretKind.FILE)


def secrets_of(config: Config) -> Iterator[tuple[str, SecretRef]]:
    """Return every reference to a secret with its key in the file."""
    tables: list[tuple[str, Settings]] = [("web", config.web), ("heartbeat", config.heartbeat)]
    tables += [(f"account.{name}", table) for name, table in config.accounts.items()]
    tables += [(f"receiver.{name}", table) for name, table in config.receivers.items()]
    for name, table in tables:
        yield from references(name, table)


def references(name: str, entries: Iterable[tuple[str, object]]) -> Iterator[tuple[str, SecretRef]]:
    """Return every reference to a secret in a table of this name, with its key in the file."""
    for key, value in entries:
        if isinstance(value, SecretRef):
            yield f"{name}.{key}", value
        elif isinstance(value, Mapping):
            yield from references(f"{name}.{key}", value.items())
