"""What the program finds around it: environment, clock, output, and what keeps secrets out of the logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from watcher.clock import Clock
from watcher.config import SecretRef
from watcher.core.secret import Secret
from watcher.logs import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the program finds around it; tests and the demo bring their own."""

    environ: Mapping[str, str]
    redactor: Redactor
    clock: Clock
    output: TextIO
    """Where the ``log`` receivers write."""

    def secret(self, ref: SecretRef) -> Secret:
        """Fetch a secret as it is now; from here on no log line can show it."""
        return self.redactor.learn(ref.resolve(self.environ))
