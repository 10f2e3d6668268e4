"""The reports of ``wait``: from the daemon that watches the service, or from polls of this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from watcher.cli.text.output import say
from watcher.cli.wait_view import WaitView
from watcher.core.training.model import NOT_ENDED, phase_of
from watcher.core.training.waiting import WaitOutcome
from watcher.reports.runs.wait_request import WaitRequest
from watcher.reports.runs.waiting import wait_json

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.config import Config
    from watcher.core.training.waiting import PollProblem
    from watcher.wiring.runtime import Runtime

COMMAND: Final = "wait"
RESTART_SECONDS: Final = 30.0
"""A daemon that ended may be restarting: the wait polls by itself only after this time."""
RETRY_SECONDS: Final = 1.0

End = tuple[WaitOutcome, Mapping[str, Any] | None]


@dataclass(slots=True)
class WaitSource:
    """Where the reports of a wait come from.

    Args:
        config: the configuration.
        has_file: whether a file holds it; without one there is no daemon.
        runtime: makes the surroundings for polls of this process.
        view: shows the reports.
    """

    config: Config
    has_file: bool
    runtime: Callable[[], Runtime]
    view: WaitView

    async def wait(self, request: WaitRequest) -> End:
        """Wait until the training ends; return the outcome with the last report."""
        from watcher.control.follow import follow
        from watcher.control.protocol import ConnectionLostError, ControlError, NoDaemonError

        socket = await self._daemon() if self.has_file else None
        while socket is not None:
            try:
                answer = await follow(socket, COMMAND, request.as_json(), self.view.report)
            except (ConnectionLostError, NoDaemonError) as error:
                self.view.say(f"{error}; waiting for the daemon")
                socket = await self._daemon_again()
                request = resumed(request, self.view.latest)
                continue
            except ControlError as error:
                self.view.say(f"{error}")
                return WaitOutcome.CANNOT_POLL, None
            end = _end_of(answer)
            if end[0] is not WaitOutcome.NOT_WATCHED:
                return end
            self.view.say("the daemon does not watch this training; polling without it")
            request, socket = resumed(request, self.view.latest), None
        return await self._alone(request)

    async def _daemon(self) -> Path | None:
        """Return the socket of the daemon of this store, if one answers that knows the command."""
        return await asyncio.to_thread(self._ping, warn=True)

    async def _daemon_again(self) -> Path | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + RESTART_SECONDS
        while loop.time() < end:
            await asyncio.sleep(RETRY_SECONDS)
            if (socket := await asyncio.to_thread(self._ping, warn=False)) is not None:
                return socket
        self.view.say("the daemon has not come back; polling without it")
        return None

    def _ping(self, *, warn: bool) -> Path | None:
        from watcher.cli.store_access import socket_of_store
        from watcher.control.client import PROMPT_SECONDS, request
        from watcher.control.protocol import ControlError, NoDaemonError

        socket = socket_of_store(self.config, os.environ, timeout_seconds=PROMPT_SECONDS)
        try:
            daemon = request(socket, "ping", {}, timeout_seconds=PROMPT_SECONDS)
        except NoDaemonError:
            return None
        except ControlError as error:
            if warn:
                say(f"{COMMAND}: not inside the daemon: {error}")
            return None
        known = daemon.get("commands")
        return socket if isinstance(known, list) and COMMAND in known else None

    async def _alone(self, request: WaitRequest) -> End:
        from watcher.cli.from_daemon import say_wait
        from watcher.config import SecretError
        from watcher.http import HttpSetupError
        from watcher.reports.runs.wait_request import AmbiguousServiceError
        from watcher.wiring.budget_waits import BudgetUse
        from watcher.wiring.waiting.alone import PollingInVainError, ServiceNotFoundError, wait_alone

        try:
            last = await wait_alone(
                self.config,
                request,
                self.runtime(),
                BudgetUse(on_wait=say_wait),
                lambda report: self.view.report(wait_json(report)),
                self._say_problem,
            )
        except PollingInVainError as error:
            self._say_problem(error.problem)
            return WaitOutcome.CANNOT_POLL, None
        except (SecretError, HttpSetupError, AmbiguousServiceError, ServiceNotFoundError) as error:
            self.view.say(f"{error}")
            return WaitOutcome.CANNOT_POLL, None
        return last.progress.outcome or WaitOutcome.CANNOT_POLL, wait_json(last)

    def _say_problem(self, problem: PollProblem) -> None:
        from watcher.core.messages.advice import advice

        self.view.problem(problem.cause, problem.detail, advice(problem.cause))


def resumed(request: WaitRequest, latest: Mapping[str, Any] | None) -> WaitRequest:
    """Return the request for the rest of a wait: the version that it has chosen stays."""
    if latest is None or latest["polled_at"] is None or latest["version"] is None:
        return request
    in_progress = request.in_progress or phase_of(latest["status"] or "") in NOT_ENDED
    return replace(request, version=latest["version"], after=None, in_progress=in_progress)


def _end_of(answer: Mapping[str, object]) -> End:
    report = answer.get("report")
    try:
        outcome = WaitOutcome(str(answer.get("outcome")))
    except ValueError:
        # A daemon of another version.
        outcome = WaitOutcome.CANNOT_POLL
    return outcome, report if isinstance(report, dict) else None
