"""The loop, the signals and the logs of a command."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final, TextIO, TypeVar

if TYPE_CHECKING:
    from watcher.line_writer import LineWriter
    from watcher.logs import Redactor
    from watcher.wiring.runtime import Runtime

Result = TypeVar("Result")

NEW_OBJECTS: Final = 10_000
"""Objects after whose creation the garbage collector looks for cycles among them.

A list of trainings is more than Python's usual 700, and none of its objects is garbage: each tenth look would visit
every known training, too.
"""


def run_async(main: Coroutine[object, object, Result]) -> Result:
    """Run ``main`` to its end; Ctrl-C cancels it and raises ``KeyboardInterrupt``."""
    # The modules loaded so far live as long as the process: the garbage collector need not visit them. It was off until
    # now, see ``watcher.__main__``.
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop, of uvloop if it is installed; DNS lookups run in threads."""
    from watcher.resolver import with_threaded_resolver

    return with_threaded_resolver(_loop_class())()


def _loop_class() -> type[asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at SIGTERM and SIGINT; further signals have no effect."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def runtime(redactor: Redactor, output: LineWriter | TextIO | None = None) -> Runtime:
    """Return the environment, clock and output of this process."""
    from watcher.clock import Clock
    from watcher.line_writer import LineWriter
    from watcher.wiring.runtime import Runtime

    writer = output if isinstance(output, LineWriter) else LineWriter(output or sys.stdout)
    return Runtime(environ=os.environ, redactor=redactor, clock=Clock(), output=writer)


def quiet_logs(*, verbose: bool) -> Redactor:
    """Send the logs to standard error: only faults, or every line with ``verbose``.

    Returns:
        Redactor: removes secrets from log lines; it must learn each secret first.
    """
    from watcher import logs  # isort: skip - it loads structlog without rich
    import structlog

    redactor = logs.Redactor()
    logs.configure(redactor, stream=sys.stderr, verbose=verbose)
    if not verbose:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return redactor
