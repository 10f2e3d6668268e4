"""The control socket's handler for ``wait``: the daemon polls the training anyway and reports each change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from watcher.clock import Clock
from watcher.control.protocol import ControlError, Handler, Report, ReportingHandler
from watcher.installed import UpgradedError, require_loadable
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.ports import PollingStore

WAIT: Final = "wait"


def wait_handlers(poller: Poller, poll_store: PollingStore, clock: Clock) -> dict[str, Handler]:
    """Return the handler, by command.

    Args:
        poller: the daemon's.
        poll_store: has the recorded runs.
        clock: the machine's clocks.
    """

    async def wait(arguments: Mapping[str, object], report: Report) -> Mapping[str, object]:
        try:
            require_loadable("watcher.pipeline.waiting.waiter")
        except UpgradedError as error:
            raise ControlError(str(error)) from None
        # Few daemons are ever asked.
        from watcher.core.training.waiting import WaitOutcome, WaitTarget  # noqa: PLC0415 - see above
        from watcher.pipeline.waiting.estimates import Estimates  # noqa: PLC0415
        from watcher.pipeline.waiting.waiter import Waiter  # noqa: PLC0415
        from watcher.reports.runs.wait_request import (  # noqa: PLC0415
            AmbiguousServiceError,
            WaitRequest,
            service_called,
        )
        from watcher.reports.runs.waiting import wait_json  # noqa: PLC0415

        request = WaitRequest.from_json(arguments)
        try:
            service = service_called(request, poller.polls())
        except AmbiguousServiceError as error:
            raise ControlError(f"{error}") from None
        if service is None:
            return {"outcome": WaitOutcome.NOT_WATCHED.value}
        target = WaitTarget(service=service, type=request.type, version=request.version, after=request.after)
        waiter = Waiter(poller, Estimates(poll_store, clock), clock)
        end = await waiter.wait(target, lambda latest: report(wait_json(latest)), was_in_progress=request.in_progress)
        outcome = end.progress.outcome
        return {"outcome": None if outcome is None else outcome.value, "report": wait_json(end)}

    return {WAIT: ReportingHandler(wait)}
