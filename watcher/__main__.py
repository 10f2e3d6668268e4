"""Where the command ``aitems-watcher`` begins; ``python -m watcher`` is the same."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Final

INTERRUPTED: Final = 130
"""A shell's status for a program that Ctrl-C ended: 128 and SIGINT's number."""


def main() -> None:
    """Run the command line."""
    # Searching what was loaded for garbage, while loading and once more at the end, would take a third of a short
    # command's time. What runs long turns the collector on again, see ``cli.runtime``.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from watcher.cli.app import app  # noqa: PLC0415 - after the collector is off

        app(prog_name="aitems-watcher")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
