"""Running the asynchronous part of a command: the loop, the signals, the logs."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from watcher.logs import Redactor
    from watcher.wiring.runtime import Runtime

Result = TypeVar("Result")


def run_async(main: Coroutine[object, object, Result]) -> Result:
    """Run ``main`` on uvloop where it is installed; Ctrl-C cancels it and is raised after."""
    # What was loaded until now stays for good; the collector was off meanwhile, see ``watcher.__main__``.
    gc.freeze()
    gc.enable()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that the program runs on: uvloop's where it is installed, with names looked up aside."""
    from watcher.resolver import with_threaded_resolver

    return with_threaded_resolver(_kind_of_loop())()


def _kind_of_loop() -> type[asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at SIGTERM and SIGINT; a further one changes nothing."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def runtime(redactor: Redactor, output: TextIO | None = None) -> Runtime:
    """Return what this process finds around it."""
    from watcher.clock import Clock
    from watcher.wiring.runtime import Runtime

    return Runtime(environ=os.environ, redactor=redactor, clock=Clock(), output=output or sys.stdout)


def quiet_logs(*, verbose: bool) -> Redactor:
    """Set the logs up for a command that prints for people: faults alone on standard error, or everything.

    Returns:
        Redactor: what learns the secrets that no line may show.
    """
    import structlog

    from watcher import logs as telemetry

    redactor = telemetry.Redactor()
    telemetry.configure(redactor, stream=sys.stderr, verbose=verbose)
    if not verbose:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return redactor
