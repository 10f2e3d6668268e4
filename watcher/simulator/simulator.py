"""The simulated account as a whole: its world, its clock, its keys, the faults on demand and the log of requests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from watcher.clock import Clock
from watcher.core.secret import Secret
from watcher.simulator.calls import Answer, Call, Moment, answer
from watcher.simulator.faults.kinds import check_fault
from watcher.simulator.faults.plan import Fault, FaultPlan
from watcher.simulator.request_log import RequestLog
from watcher.simulator.truth import Change, Truth
from watcher.simulator.world import NO_HPO, Service, Step, Training, World

SIMULATOR_ACCESS_KEY: Final = "SIMULATORACCESSKEY01"
SIMULATOR_SECRET_KEY: Final = "SIMULATORSECRETKEY0123456789ABCDEFGHIJKL"  # noqa: S105 - opens nothing but this
"""The keys of the simulator where no others are given; they open nothing else, so they may be shown."""

DEFAULT_KEYS: Final[Mapping[str, Secret]] = MappingProxyType({SIMULATOR_ACCESS_KEY: Secret(SIMULATOR_SECRET_KEY)})


class TimeSource(Protocol):
    """The clocks that the simulator goes by; ``watcher.clock.Clock`` is one."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step."""
        ...


class ControlAccess(StrEnum):
    """Who may use the control endpoint."""

    LOOPBACK = "loopback"
    ANYONE = "anyone"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DatedChange:
    """A change of status with its time in UTC."""

    change: Change
    at: datetime


class Simulator:
    """A simulated AiTEMS account; its time begins when the object is made.

    Args:
        world: what happens by itself.
        faults: what goes wrong by itself.
        keys: the secret key of each access key that is accepted.
        clock: the clocks; lives run on the monotonic one, signatures are checked by the wall clock.
        seed: of the random numbers that faults with a rate draw.
        clock_offset_seconds: how far the server's own wall clock is ahead (negative: behind).
        control: who may use the control endpoint.
    """

    def __init__(  # noqa: PLR0913 - each is one thing a user may choose, all have defaults
        self,
        world: World | None = None,
        *,
        faults: Iterable[Fault] = (),
        keys: Mapping[str, Secret] = DEFAULT_KEYS,
        clock: TimeSource | None = None,
        seed: int | None = None,
        clock_offset_seconds: float = 0.0,
        control: ControlAccess = ControlAccess.LOOPBACK,
    ) -> None:
        self.truth = Truth(world or World())
        self.faults = FaultPlan()
        self.requests = RequestLog()
        self.keys = dict(keys)
        self.clock_offset_seconds = clock_offset_seconds
        self.control = control
        self._clock = clock or Clock()
        self._random = random.Random(seed)  # noqa: S311 - which request a fault strikes is no secret
        self._started_monotonic = self._clock.monotonic()
        self.started_at = self._clock.utc_now()
        """When the simulator's time began, UTC, by the true clock."""
        for fault in faults:
            self.add_fault(fault)

    @property
    def seconds(self) -> float:
        """Seconds since the simulator's time began."""
        return self._clock.monotonic() - self._started_monotonic

    def monotonic(self) -> float:
        """Return the monotonic clock's time, on which the request log runs."""
        return self._clock.monotonic()

    def server_now(self) -> datetime:
        """Return the time that the server believes it is, UTC."""
        return self._clock.utc_now() + timedelta(seconds=self.clock_offset_seconds)

    def answer(self, call: Call, ago_seconds: float = 0.0) -> Answer:
        """Return the honest answer to a call, as of now or of so many seconds ago."""
        return answer(call, self.truth, Moment(max(0.0, self.seconds - ago_seconds), self.started_at))

    def fault_for(self, call: Call) -> Fault | None:
        """Return the fault that strikes this call, ``None`` where all goes well."""
        return self.faults.choose(call, self.seconds, self._random.random)

    def add_fault(self, fault: Fault) -> int:
        """Set a fault and return the number under which it can be removed.

        Raises:
            ValueError: there is no such kind, or it does not take these options.
        """
        return self.faults.add(check_fault(fault), self.seconds)

    def put_service(self, service: Service) -> None:
        """Add a service, or change its facts."""
        self.truth.put_service(service)

    def delete_service(self, service_id: str) -> bool:
        """Remove a service with all of its trainings; false where there is none."""
        return self.truth.delete_service(service_id, self.seconds)

    def set_training(  # noqa: PLR0913 - the first three name the training
        self,
        service_id: str,
        train_type: str,
        version: str,
        status: str,
        *,
        inference: bool | None = None,
        hp_config: Mapping[str, object] | None = None,
        description: str | None = None,
        created_date: str | None = None,
    ) -> None:
        """Set a training's status from now on; service and training are added where they are missing.

        The script counts no more for this training. Facts that are left out stay as they were.
        """
        if self.truth.service(service_id) is None:
            self.put_service(Service(id=service_id, name=service_id))
        known = self.truth.training_facts(service_id, train_type, version)
        training = known or Training(type=train_type, version=version, hp_config=NO_HPO)
        changed = replace(
            training,
            hp_config=training.hp_config if hp_config is None else hp_config,
            description=training.description if description is None else description,
            created_date=training.created_date if created_date is None else created_date,
        )
        self.truth.put_training(service_id, changed, Step(self.seconds, status, inference))

    def delete_training(self, service_id: str, train_type: str, version: str) -> bool:
        """Remove a training; false where there is none."""
        return self.truth.delete_training(service_id, train_type, version, self.seconds)

    def history(self, after_seconds: float = -1.0, until_seconds: float | None = None) -> list[DatedChange]:
        """Return what statuses each training really had between two times of the simulator, in order.

        The one is left out, the other (``None``: now) counts in. What was so at the very start is a change too,
        with nothing before it.
        """
        changes = self.truth.changes(after_seconds, self.seconds if until_seconds is None else until_seconds)
        return [DatedChange(change, self.started_at + timedelta(seconds=change.at_seconds)) for change in changes]
