"""Secrets that are read at each use, so that a rotated file takes effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog

from watcher.config import SecretError, SecretRef
from watcher.core.secret import Secret
from watcher.wiring.runtime import Runtime

log = structlog.get_logger()


class CurrentSecret:
    """A secret that is read at each use; while its file cannot be read, the last value counts."""

    def __init__(self, ref: SecretRef, runtime: Runtime) -> None:
        self._ref = ref
        self._runtime = runtime
        self._latest = runtime.secret(ref)
        self._problem = ""

    def __call__(self) -> Secret:
        """Return the current value."""
        try:
            self._latest = self._runtime.secret(self._ref)
        except SecretError as error:
            self._note(str(error))
        else:
            self._note("")
        return self._latest

    def _note(self, problem: str) -> None:
        """Log a new problem and its end once, not at each request."""
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("secret.read_failed", problem=problem)
        else:
            log.info("secret.read_recovered", secret=str(self._ref))


class CurrentHeaders(Mapping[str, Secret]):
    """The headers of a receiver, each read at each use."""

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
