"""Work that the end of the program does not wait for: whatever is done here must bear being cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreadExecutor(Executor):
    """Does each piece of work in a thread of its own; those of the library would be waited for at the end."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin at once."""
        outcome: Future[T] = Future()

        def work() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                outcome.set_exception(error)
            else:
                outcome.set_result(result)

        threading.Thread(target=work, name="aside", daemon=True).start()
        return outcome
