"""The usual duration and the expected end of a training in progress, from the recorded runs."""

from __future__ import annotations

import structlog

from watcher.core.training.comparison import EndFacts, UsualFacts
from watcher.core.training.earlier_runs import RunGroup, RunsWanted, Samples, end_facts
from watcher.core.training.model import Snapshot
from watcher.pipeline.polling.runs.comparer import group_of
from watcher.pipeline.ports import Clock, PollingStore

log = structlog.get_logger()


class Estimates:
    """Reads the runs of a group once; the expected end then depends on the time alone.

    Args:
        poll_store: has the recorded runs.
        clock: the machine's clocks.
    """

    def __init__(self, poll_store: PollingStore, clock: Clock) -> None:
        self._poll_store = poll_store
        self._clock = clock
        self._samples: dict[RunGroup, Samples] = {}
        self._is_failing = False

    async def of(self, training: Snapshot) -> tuple[UsualFacts | None, EndFacts | None]:
        """Return the usual duration and the expected end; ``None`` for each that is not known."""
        run = training.run
        samples = None if run is None else await self._samples_of(group_of(training))
        if run is None or samples is None or run.is_stopping:
            return None, None
        return samples.usual, end_facts(run, samples, self._clock.utc_now())

    async def _samples_of(self, group: RunGroup) -> Samples | None:
        known = self._samples.get(group) or await self._read(group)
        if known is not None:
            self._samples[group] = known
        return known

    async def _read(self, group: RunGroup) -> Samples | None:
        now = self._clock.utc_now()
        try:
            earlier = await self._poll_store.earlier_runs({group: RunsWanted()}, now)
        except Exception as error:  # noqa: BLE001 - a wait without an expected end is better than none
            if not self._is_failing:
                log.warning("runs.not_read", service=group.service, type=group.type, problem=repr(error))
            self._is_failing = True
            return None
        self._is_failing = False
        return Samples(earlier[group], now)
