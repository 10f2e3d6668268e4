"""Where the command ``aitems-watcher`` begins; ``python -m watcher`` is the same."""

from __future__ import annotations

import gc
import sys
from typing import Final

INTERRUPTED: Final = 130
"""A shell's status for a program that Ctrl-C ended: 128 and SIGINT's number."""


def main() -> None:
    """Run the command line."""
    # Collecting while modules load would take a fifth of a short command's time; long runs turn it on again.
    gc.disable()
    try:
        from watcher.cli.commands import app  # noqa: PLC0415 - after the collector is off

        app(prog_name="aitems-watcher")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
