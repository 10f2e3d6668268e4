"""The surroundings of the program: environment, clock, output, and the redaction of secrets in logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watcher.clock import Clock
from watcher.config import SecretRef
from watcher.core.secret import Secret
from watcher.line_writer import LineWriter
from watcher.logs import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The surroundings of the program; tests and the demo pass their own."""

    environ: Mapping[str, str]
    redactor: Redactor
    clock: Clock
    output: LineWriter
    """Writes for the ``log`` receivers."""

    def secret(self, ref: SecretRef) -> Secret:
        """Read a secret now; from here on the logs redact it.

        Raises:
            SecretError: it cannot be read.
        """
        return self.redactor.learn(ref.resolve(self.environ))
