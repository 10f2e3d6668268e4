"""Secrets that are read at each use, so that a rotated file takes effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import structlog

from watcher.config import SecretError, SecretRef, SecretsError
from watcher.core.secret import Secret
from watcher.wiring.runtime import Runtime

log = structlog.get_logger()


def unreadable(secrets: Iterable[tuple[str, SecretRef]], runtime: Runtime) -> Iterator[str]:
    """Read secrets, each given with its key in the file; return the problems, each with its key."""
    for key, ref in secrets:
        try:
            runtime.secret(ref)
        except SecretError as error:
            yield f"{key}: {error}"


def require_secrets(secrets: Iterable[tuple[str, SecretRef]], runtime: Runtime) -> None:
    """Read secrets once, so that one error names all that are missing.

    Raises:
        SecretsError: some cannot be read.
    """
    if problems := list(unreadable(secrets, runtime)):
        raise SecretsError(problems)


class ReadLog:
    """Logs that a secret cannot be read, and the end of that, once and not at each request."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._problem = ""

    def note(self, problem: str = "") -> None:
        """Note the result of a read; an empty problem stands for success."""
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("secret.read_failed", problem=problem)
        else:
            log.info("secret.read_recovered", secret=self._secret)


class CurrentSecret:
    """A secret that is read at each use; while its file cannot be read, the last value counts."""

    def __init__(self, ref: SecretRef, runtime: Runtime) -> None:
        self._ref = ref
        self._runtime = runtime
        self._latest = runtime.secret(ref)
        self._log = ReadLog(str(ref))

    def __call__(self) -> Secret:
        """Return the current value."""
        try:
            self._latest = self._runtime.secret(self._ref)
        except SecretError as error:
            self._log.note(str(error))
        else:
            self._log.note()
        return self._latest


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
