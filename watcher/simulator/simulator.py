"""The simulated account: its world, clock, keys, faults, and log of requests."""

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
from watcher.simulator.calls import Call, SimulatedAnswer, SimulationTime, answer
from watcher.simulator.faults.kinds import check_fault
from watcher.simulator.faults.plan import Fault, FaultPlan
from watcher.simulator.request_log import RequestLog
from watcher.simulator.truth import StatusChange, Truth, UpdateChange
from watcher.simulator.world import NO_HPO, Life, SimulatedService, Step, Training, Update, World

SIMULATOR_ACCESS_KEY: Final = "SIMULATORACCESSKEY01"
SIMULATOR_SECRET_KEY: Final = "SIMULATORSECRETKEY0123456789ABCDEFGHIJKL"  # noqa: S105 - opens nothing but this
"""The default keys of the simulator; they open nothing else, so they may be shown."""

DEFAULT_KEYS: Final[Mapping[str, Secret]] = MappingProxyType({SIMULATOR_ACCESS_KEY: Secret(SIMULATOR_SECRET_KEY)})


class TimeSource(Protocol):
    """The clocks of the simulator; ``watcher.clock.Clock`` is one."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step."""
        ...


class ControlAccess(StrEnum):
    """The clients that may use the control endpoint."""

    LOOPBACK = "loopback"
    ANYONE = "anyone"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DatedChange:
    """A change of status with its time in UTC."""

    change: StatusChange
    at: datetime


class Simulator:
    """A simulated AiTEMS account; its time begins when the object is created, or earlier.

    Args:
        world: the scripted services and trainings.
        faults: the scripted faults.
        keys: the accepted access keys with their secret keys.
        clock: trainings run on its monotonic time, signatures are checked by its wall time.
        seed: the seed of the random numbers for faults with a rate.
        clock_offset_seconds: the lead of the server's own wall clock; negative if it is behind.
        control: the clients that may use the control endpoint.
        began_at: the UTC time at which its time began; ``None`` means now.
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
        began_at: datetime | None = None,
    ) -> None:
        self.truth = Truth(world or World())
        self.faults = FaultPlan()
        self.requests = RequestLog()
        self.keys = dict(keys)
        self.clock_offset_seconds = clock_offset_seconds
        self.control = control
        self._clock = clock or Clock()
        self._random = random.Random(seed)  # noqa: S311 - which request a fault strikes is no secret
        now = self._clock.utc_now()
        self.started_at = began_at or now
        """The start of the simulator's time in UTC, by the true clock."""
        age_seconds = (now - self.started_at).total_seconds()
        self._started_monotonic = self._clock.monotonic() - age_seconds
        for fault in faults:
            self.add_fault(fault)

    @property
    def seconds(self) -> float:
        """Seconds since the simulator's time began."""
        return self._clock.monotonic() - self._started_monotonic

    def monotonic(self) -> float:
        """Return the monotonic time, which the request log uses."""
        return self._clock.monotonic()

    def server_now(self) -> datetime:
        """Return the server's own time in UTC, with its offset."""
        return self._clock.utc_now() + timedelta(seconds=self.clock_offset_seconds)

    def answer(self, call: Call, ago_seconds: float = 0.0) -> SimulatedAnswer:
        """Return the honest answer to a call, as of now or of so many seconds ago."""
        return answer(call, self.truth, SimulationTime(max(0.0, self.seconds - ago_seconds), self.started_at))

    def fault_for(self, call: Call) -> Fault | None:
        """Return the fault that applies to this call, or ``None``."""
        return self.faults.choose(call, self.seconds, self._random.random)

    def add_fault(self, fault: Fault) -> int:
        """Set a fault and return its number, for ``faults.remove``.

        Raises:
            ValueError: the kind is unknown, or it does not accept an option.
        """
        return self.faults.add(check_fault(fault), self.seconds)

    def put_service(self, service: SimulatedService) -> None:
        """Add a service, or change its facts."""
        self.truth.put_service(service)

    def delete_service(self, service_id: str) -> bool:
        """Remove a service with its trainings; return false if it does not exist."""
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
        """Set a training's status from now on; a missing service or training is added.

        The script no longer applies to this training. Facts that are not given stay unchanged.
        """
        if self.truth.service(service_id) is None:
            self.put_service(SimulatedService(id=service_id, name=service_id))
        existing = self.truth.training_facts(service_id, train_type, version)
        training = existing or Training(type=train_type, version=version, hp_config=NO_HPO)
        changed = replace(
            training,
            hp_config=training.hp_config if hp_config is None else hp_config,
            description=training.description if description is None else description,
            created_date=training.created_date if created_date is None else created_date,
        )
        self.truth.put_training(service_id, changed, Step(self.seconds, status, inference))

    def set_update(  # noqa: PLR0913 - the first four name the update
        self,
        service_id: str,
        train_type: str,
        train_version: str,
        update_version: str,
        status: str,
        *,
        users: int | None = None,
    ) -> bool:
        """Set an update's status from now on; a missing update is added to an existing training.

        Returns:
            False for an unknown training, or for a service that is not of type ``interval``.
        """
        training = self.truth.training_facts(service_id, train_type, train_version)
        known = {update.version: update for update in training.updates} if training else {}
        step = Step(self.seconds, status)
        update = known.get(update_version) or Update(version=update_version, life=Life((step,)))
        changed = replace(update.with_step(step), users=update.users if users is None else users)
        return self.truth.put_update(service_id, train_type, train_version, changed)

    def delete_training(self, service_id: str, train_type: str, version: str) -> bool:
        """Remove a training; return false if it does not exist."""
        return self.truth.delete_training(service_id, train_type, version, self.seconds)

    def history(self, after_seconds: float = -1.0, until_seconds: float | None = None) -> list[DatedChange]:
        """Return the true status changes between two times of the simulator, in order.

        The first time is exclusive, the second (``None``: now) inclusive. A status at the start counts as a change
        without a previous status.
        """
        changes = self.truth.changes(after_seconds, self.seconds if until_seconds is None else until_seconds)
        return [DatedChange(change, self.started_at + timedelta(seconds=change.at_seconds)) for change in changes]

    def update_history(self, after_seconds: float = -1.0, until_seconds: float | None = None) -> list[UpdateChange]:
        """Return the true status changes of updates between two times of the simulator, as ``history`` does."""
        return self.truth.update_changes(after_seconds, self.seconds if until_seconds is None else until_seconds)
