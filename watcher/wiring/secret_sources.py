"""Secrets as they are now: a file that was rotated counts at the next use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog

from watcher.config import SecretError, SecretRef
from watcher.core.secret import Secret
from watcher.wiring.runtime import Runtime

log = structlog.get_logger()


class CurrentSecret:
    """A secret that is read anew at each use; while its file is being replaced, it is as it was."""

    def __init__(self, ref: SecretRef, runtime: Runtime) -> None:
        self._ref = ref
        self._runtime = runtime
        self._latest = runtime.secret(ref)

    def __call__(self) -> Secret:
        """Return it is now."""
        try:
            self._latest = self._runtime.secret(self._ref)
        except SecretError as error:
            log.warning("secret.read_failed", problem=str(error))
        return self._latest


class CurrentHeaders(Mapping[str, Secret]):
    """Headers of a receiver, each read anew when it is asked for."""

    def __init__(self, headers: Mapping[str, SecretRef | str], runtime: Runtime) -> None:
        self._values: dict[str, CurrentSecret | Secret] = {
            name: CurrentSecret(value, runtime) if isinstance(value, SecretRef) else Secret(value)
            for name, value in headers.items()
        }

    def __getitem__(self, name: str) -> Secret:
        value = self._values[name]
        return value if isinstance(value, Secret) else value()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
