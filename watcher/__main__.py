"""The entry point of the command ``aitems-watcher`` and of ``python -m watcher``."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Final

if sys.version_info < (3, 11):  # noqa: UP036 - pip checks this, other ways to start it do not
    sys.exit(f"aitems-watcher needs Python 3.11 or newer; this is Python {sys.version.split()[0]}")

from watcher import first_steps

INTERRUPTED: Final = 130
"""The exit status of a program that Ctrl-C ended: 128 plus the number of SIGINT."""


def main() -> None:
    """Run the command line."""
    first_steps.open_closed_streams()
    if sys.argv[1:2] == ["run"]:
        first_steps.hold_hangups()
    # Garbage collection while modules load, and once more at the end, takes a third of a short command's time.
    # Commands that run long turn it on again, see ``cli.runtime``.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from watcher.cli.app import app  # noqa: PLC0415 - after the collector is off

        app(prog_name="aitems-watcher")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
