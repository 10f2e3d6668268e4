"""Run work in threads that the program does not wait for at its end; such work must tolerate an abrupt end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreadExecutor(Executor):
    """Runs each piece of work in its own daemon thread; the standard executors are waited for at the end."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the work at once."""
        outcome: Future[T] = Future()

        def work() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                outcome.set_exception(error)
            else:
                outcome.set_result(result)

        threading.Thread(target=work, name="daemon-work", daemon=True).start()
        return outcome
