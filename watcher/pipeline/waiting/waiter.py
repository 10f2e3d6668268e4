"""Waits for the end of a training: follows the results of a poller, and makes no calls of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from watcher.core.polling.plan import Poll, joined_key
from watcher.core.training.waiting import WaitOutcome, WaitProgress, WaitReport, WaitTarget
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.ports import Clock
from watcher.pipeline.waiting.estimates import Estimates

REPORT_SECONDS: Final = 10.0
"""The longest time between two reports: they are also the sign that the wait goes on."""


class Waiter:
    """Waits for one training after the other.

    Args:
        poller: polls the training.
        estimates: know how long runs take.
        clock: the machine's clocks.
    """

    def __init__(self, poller: Poller, estimates: Estimates, clock: Clock) -> None:
        self._poller = poller
        self._estimates = estimates
        self._clock = clock

    async def wait(
        self, target: WaitTarget, report: Callable[[WaitReport], None], *, was_in_progress: bool = False
    ) -> WaitReport:
        """Wait until the training ends, or cannot be polled; return the last report.

        Args:
            target: the training.
            report: called after each poll of it, and every ten seconds.
            was_in_progress: whether an earlier part of the wait has seen the training in progress.
        """
        progress = WaitProgress(target=target, began_at=self._clock.utc_now(), was_in_progress=was_in_progress)
        self._poll_idle_now(target)
        reported_at = self._clock.monotonic() - REPORT_SECONDS
        with self._poller.cache.listening() as result:
            while True:
                before, progress = progress, self._after_poll(progress)
                now = self._clock.monotonic()
                if progress.outcome is not None:
                    return await self._report(progress)
                if progress != before or now - reported_at >= REPORT_SECONDS:
                    reported_at = now
                    report(await self._report(progress))
                await result.wait(reported_at + REPORT_SECONDS - now)

    def _after_poll(self, progress: WaitProgress) -> WaitProgress:
        poll = self._covering(progress.target)
        if poll is None:
            return replace(progress, outcome=WaitOutcome.NOT_WATCHED)
        cache = self._poller.cache
        return progress.after_poll(cache.known(poll), cache.poll(poll.key))

    async def _report(self, progress: WaitProgress) -> WaitReport:
        training = progress.training
        usual, end = (None, None) if training is None else await self._estimates.of(training)
        return WaitReport(progress=progress, at=self._clock.utc_now(), usual=usual, expected_end=end)

    def _poll_idle_now(self, target: WaitTarget) -> None:
        """Bring the next poll forward, where the interval of a training in progress has passed since the last one."""
        poll = self._covering(target)
        if poll is None:
            return
        last = self._poller.cache.poll(poll.key).good_asked_at
        if last is not None and self._clock.utc_now() - last > poll.cadence.interval:
            self._poller.bring_forward(poll)

    def _covering(self, target: WaitTarget) -> Poll | None:
        """Return the poll that shows the training; ``None`` where no watch covers it."""
        poll = self._poller.poll(target.service.subject)
        ref = target.training
        if poll is not None or ref is None:
            return poll
        joined = self._poller.poll(joined_key(target.service))
        return joined if joined is not None and joined.concerns(ref) else self._poller.poll(ref.subject)
