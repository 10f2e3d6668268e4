"""Secrets as they are now: a file that was rotated counts at the next use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog

from watcher.config import SecretError, SecretRef
from watcher.core.secret import Secret
from watcher.wiring.runtime import Surroundings

log = structlog.get_logger()


class CurrentSecret:
    """A secret that is read anew at each use; while its file is being replaced, it is as it was."""

    def __init__(self, ref: SecretRef, surroundings: Surroundings) -> None:
        self._ref = ref
        self._surroundings = surroundings
        self._latest = surroundings.secret(ref)

    def __call__(self) -> Secret:
        """Return it as it is now."""
        try:
            self._latest = self._surroundings.secret(self._ref)
        except SecretError as error:
            log.warning("secret.unreadable", problem=str(error))
        return self._latest


class CurrentHeaders(Mapping[str, Secret]):
    """Headers of a receiver, each read anew when it is asked for."""

    def __init__(self, headers: Mapping[str, SecretRef | str], surroundings: Surroundings) -> None:
        self._values: dict[str, CurrentSecret | Secret] = {
            name: CurrentSecret(value, surroundings) if isinstance(value, SecretRef) else Secret(value)
            for name, value in headers.items()
        }

    def __getitem__(self, name: str) -> Secret:
        value = self._values[name]
        return value if isinstance(value, Secret) else value()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
