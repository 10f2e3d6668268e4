"""The entry point of the command ``aitems-watcher`` and of ``python -m watcher``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import Final

if sys.version_info < (3, 11):  # noqa: UP036 - pip checks this, other ways to start it do not
    sys.exit(f"aitems-watcher needs Python 3.11 or newer; this is Python {sys.version.split()[0]}")

from watcher import first_steps

FAILED: Final = 1
INTERRUPTED: Final = 130
"""The exit status of a program that Ctrl-C ended: 128 plus the number of SIGINT."""


def main() -> None:
    """Run the command line."""
    first_steps.open_closed_streams()
    first_steps.lose_messages_quietly()
    first_steps.skip_plugins()
    if sys.argv[1:2] == ["run"]:
        first_steps.hold_hangups()
    # Garbage collection while modules load, and once more at the end, takes a third of a short command's time.
    # Commands that run long turn it on again, see ``cli.runtime``.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    problem = _flush()
    sys.exit(status if problem is None else _say_full(problem))


def _say_full(problem: OSError) -> int:
    _discard_output()
    sys.stderr.write(f"cannot write to standard output: {problem.strerror}\n")
    return FAILED


def _discard_output() -> None:
    """Let the rest go nowhere: the interpreter tries once more at its end, and would print a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> int | str | None:
    """Run the command and return its exit status; a reader that wants no more, such as ``head``, is no fault."""
    from watcher.cli.app import app_for  # noqa: PLC0415 - after the collector is off

    try:
        app_for(sys.argv[1:])(prog_name="aitems-watcher")
    except SystemExit as ended:
        # Click turns a broken pipe into the status 1.
        return 0 if isinstance(ended.__context__, BrokenPipeError) else ended.code
    except BrokenPipeError:
        return 0
    except OSError as error:
        if not _is_output_full(error):
            raise
        return _say_full(error)
    return 0


def _is_output_full(error: OSError) -> bool:
    """Return whether an error is that of standard output: one more line fails in the same way."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as again:
        return again.errno == error.errno
    return False


def _flush() -> OSError | None:
    """Write the rest of standard output; return the error, unless the reader only wants no more."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        return None if isinstance(error, BrokenPipeError) else error
    return None


if __name__ == "__main__":
    main()
