"""The delivery workers of the current configuration, one per receiver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from watcher.clock import Clock
from watcher.config import Config
from watcher.config.to_core import policy_of
from watcher.core.delivery.receiver import Receiver
from watcher.core.observer import Observer
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.store.deliveries import Deliveries
from watcher.wiring.supervisor import Stage, Supervisor


class DeliveryWorkers:
    """Makes, starts and stops the delivery workers; a reload replaces all of them.

    Args:
        deliveries: the store's deliveries.
        clock: the machine's clock.
        clock_trust: whether the wall clock can be trusted.
        observer: counts attempts.
        on_events: called when a worker has recorded an event.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        clock: Clock,
        clock_trust: ClockTrust,
        observer: Observer,
        *,
        on_events: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._clock_trust = clock_trust
        self._observer = observer
        self._on_events = on_events
        self._paces: dict[str, ChannelPace] = {}
        """Kept over a reload: a channel's pause and rate must survive it."""
        self._running: set[Stage] = set()
        """Includes replaced workers until their attempts have ended."""
        self.by_receiver: Mapping[str, DeliveryWorker] = {}

    def apply_config(self, config: Config, receivers: Mapping[str, Receiver]) -> None:
        """Make the workers of these receivers, in place of the present ones."""
        self.by_receiver = workers(
            receivers,
            self._deliveries,
            policy_of(config),
            self._clock,
            self._clock_trust,
            observer=self._observer,
            paces=self._paces,
            on_events=self._on_events,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start the present workers."""
        for worker in self.by_receiver.values():
            task = supervisor.start(worker.run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def stop(self, supervisor: Supervisor) -> frozenset[Stage]:
        """Make the workers lease nothing more; return those that still finish attempts."""
        for worker in self.by_receiver.values():
            worker.stop()
        supervisor.expect_end(self._running)
        return frozenset(self._running)

    def receivers(self) -> Collection[str]:
        """Return the names of the receivers that are configured now."""
        return self.by_receiver.keys()

    def wake(self) -> None:
        """Wake every worker, because deliveries may be due."""
        for worker in self.by_receiver.values():
            worker.wake.tick()

    def wake_one(self, receiver: str) -> None:
        """Wake the worker of one receiver, if the receiver is configured."""
        if (worker := self.by_receiver.get(receiver)) is not None:
            worker.wake.tick()
