"""The true state of the simulator: the scripted world and the later changes by control.

Pure: each time is a number of seconds since the simulator's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter

from watcher.simulator.world import SimulatedService, Step, Training, Update, World


class ChangeOrigin(StrEnum):
    """The origin of a status change."""

    SCRIPT = "script"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """The state of a training at one time."""

    training: Training
    status: str
    inference: bool
    born_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """A change of a training to ``status``; ``None`` means that AiTEMS no longer knows it."""

    service: str
    type: str
    version: str
    previous: str | None
    status: str | None
    at_seconds: float
    origin: ChangeOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateState:
    """The state of an update at one time."""

    type: str
    """The type of its training."""
    version: str
    status: str
    users: int
    created_seconds: float
    finished_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateChange:
    """A change of an update to ``status``."""

    service: str
    type: str
    version: str
    update: str
    status: str | None
    at_seconds: float


@dataclass(slots=True)
class Track:
    """The scripted steps of one training, and the steps that control set; the first of those ends the script."""

    training: Training
    control_steps: list[Step] = field(default_factory=list)

    @property
    def script_ends_seconds(self) -> float:
        """The time of the first step by control; infinity without one."""
        return self.control_steps[0].after_seconds if self.control_steps else math.inf

    @property
    def born_seconds(self) -> float:
        """The time of the training's first appearance."""
        return min(self.training.life.born_seconds, self.script_ends_seconds)

    def step_at(self, seconds: float) -> Step | None:
        """Return the current step at a time, or ``None`` before the first one."""
        if seconds < self.script_ends_seconds:
            return self.training.life.step_at(seconds)
        return next(step for step in reversed(self.control_steps) if step.after_seconds <= seconds)

    def last_change_seconds(self, seconds: float) -> float:
        """Return the time of the latest step of the training or of its updates; 0 without one."""
        steps = [self.step_at(seconds), *(update.life.step_at(seconds) for update in self.training.updates)]
        return max((step.after_seconds for step in steps if step), default=0.0)

    def update_states(self, seconds: float) -> Iterator[UpdateState]:
        """Yield the states of its updates at a time, in the order of their addition."""
        for update in self.training.updates:
            step = update.life.step_at(seconds)
            if step is not None and step.status is not None:
                yield UpdateState(
                    type=self.training.type,
                    version=update.version,
                    status=step.status,
                    users=update.users,
                    created_seconds=update.life.born_seconds,
                    finished_seconds=update.finished_seconds(seconds),
                )

    def state_at(self, seconds: float) -> TrainingState | None:
        """Return the state of the training at a time, or ``None`` if AiTEMS does not know it."""
        step = self.step_at(seconds)
        if step is None or step.status is None:
            return None
        return TrainingState(
            training=self.training, status=step.status, inference=step.has_result, born_seconds=self.born_seconds
        )

    def status_at(self, seconds: float) -> str | None:
        """Return the status at a time, or ``None`` if AiTEMS does not know the training."""
        step = self.step_at(seconds)
        return step.status if step else None

    def steps_between(self, after_seconds: float, until_seconds: float) -> Iterator[tuple[Step, ChangeOrigin]]:
        """Yield the steps after the first time, up to and including the second, with their origin."""
        for step in self.training.life.steps_between(after_seconds, until_seconds):
            if step.after_seconds < self.script_ends_seconds:
                yield step, ChangeOrigin.SCRIPT
        for step in self.control_steps:
            if after_seconds < step.after_seconds <= until_seconds:
                yield step, ChangeOrigin.CONTROL


class Truth:
    """The services and trainings of the simulated account, now and at every earlier time."""

    def __init__(self, world: World) -> None:
        self._services: dict[str, SimulatedService] = {}
        self._tracks: dict[str, dict[tuple[str, str], Track]] = {}
        for service in world.services:
            self.put_service(service)

    @property
    def services(self) -> tuple[SimulatedService, ...]:
        """The services, in the order of their addition."""
        return tuple(self._services.values())

    def service(self, service_id: str) -> SimulatedService | None:
        """Return a service, or ``None`` for an unknown id."""
        return self._services.get(service_id)

    def put_service(self, service: SimulatedService) -> None:
        """Add a service or change its facts; its existing trainings stay unchanged."""
        self._services[service.id] = replace(service, trainings=())
        tracks = self._tracks.setdefault(service.id, {})
        for training in service.trainings:
            tracks.setdefault((training.type, training.version), Track(training))

    def delete_service(self, service_id: str, seconds: float) -> bool:
        """Remove a service and its trainings; return false for an unknown id."""
        if self._services.pop(service_id, None) is None:
            return False
        for track in self._tracks[service_id].values():
            track.control_steps.append(Step(seconds, None))
        return True

    def put_training(self, service_id: str, training: Training, step: Step) -> None:
        """Set a training's facts, and its status from ``step`` on; the service must exist."""
        tracks = self._tracks[service_id]
        key = training.type, training.version
        if key in tracks:
            tracks[key].training = replace(training, life=tracks[key].training.life)
        else:
            tracks[key] = Track(training)
        tracks[key].control_steps.append(step)

    def put_update(self, service_id: str, train_type: str, train_version: str, update: Update) -> bool:
        """Add an update or replace it; return false for an unknown training or a service without updates."""
        track, service = self._track(service_id, train_type, train_version), self._services.get(service_id)
        if track is None or service is None or service.learning_interval is None:
            return False
        updates = {known.version: known for known in track.training.updates} | {update.version: update}
        track.training = replace(track.training, updates=tuple(updates.values()))
        return True

    def delete_training(self, service_id: str, train_type: str, version: str, seconds: float) -> bool:
        """Remove a training; return false if AiTEMS does not know it at that time."""
        track = self._track(service_id, train_type, version)
        if track is None or track.status_at(seconds) is None:
            return False
        track.control_steps.append(Step(seconds, None))
        return True

    def training_facts(self, service_id: str, train_type: str, version: str) -> Training | None:
        """Return the latest facts of a training, even of a removed one."""
        track = self._track(service_id, train_type, version)
        return track.training if track else None

    def training(self, service_id: str, train_type: str, version: str, seconds: float) -> TrainingState | None:
        """Return the state of one training at a time."""
        track = self._track(service_id, train_type, version)
        return track.state_at(seconds) if track else None

    def trainings(self, service_id: str, seconds: float) -> list[TrainingState]:
        """Return the states of a service's trainings at a time, in the order of their addition."""
        states = (track.state_at(seconds) for track in self._tracks.get(service_id, {}).values())
        return [state for state in states if state is not None]

    def last_change_seconds(self, service_id: str, seconds: float) -> float:
        """Return the time of the latest step of the service's trainings; 0 without one."""
        tracks = self._tracks.get(service_id, {}).values()
        return max((track.last_change_seconds(seconds) for track in tracks), default=0.0)

    def updates(self, service_id: str, train_type: str, version: str, seconds: float) -> list[UpdateState]:
        """Return the states of a training's updates at a time; none where AiTEMS does not know the training."""
        track = self._track(service_id, train_type, version)
        if track is None or track.status_at(seconds) is None:
            return []
        return list(track.update_states(seconds))

    def is_updating(self, service_id: str, seconds: float) -> bool:
        """Return whether an update of the service is in progress."""
        tracks = self._tracks.get(service_id, {}).values()
        return any(state.finished_seconds is None for track in tracks for state in track.update_states(seconds))

    def planned_updates(self, service_id: str) -> list[float]:
        """Return the planned times of the service's updates, in order."""
        tracks = self._tracks.get(service_id, {}).values()
        return sorted(update.planned_seconds for track in tracks for update in track.training.updates)

    def changes(self, after_seconds: float, until_seconds: float) -> list[StatusChange]:
        """Return the status changes after the first time, up to and including the second, in order of time."""
        found = [
            change
            for service_id, tracks in self._tracks.items()
            for track in tracks.values()
            for change in _changes_of(service_id, track, after_seconds, until_seconds)
        ]
        return sorted(found, key=attrgetter("at_seconds"))

    def update_changes(self, after_seconds: float, until_seconds: float) -> list[UpdateChange]:
        """Return the status changes of updates between two times, as ``changes`` does for trainings."""
        found = [
            change
            for service_id, tracks in self._tracks.items()
            for track in tracks.values()
            for update in track.training.updates
            for change in _update_changes_of(service_id, track.training, update, after_seconds, until_seconds)
        ]
        return sorted(found, key=attrgetter("at_seconds"))

    def _track(self, service_id: str, train_type: str, version: str) -> Track | None:
        return self._tracks.get(service_id, {}).get((train_type, version))


def _changes_of(service_id: str, track: Track, after_seconds: float, until_seconds: float) -> Iterator[StatusChange]:
    previous = track.status_at(after_seconds)
    for step, origin in track.steps_between(after_seconds, until_seconds):
        if step.status != previous:
            yield StatusChange(
                service=service_id,
                type=track.training.type,
                version=track.training.version,
                previous=previous,
                status=step.status,
                at_seconds=step.after_seconds,
                origin=origin,
            )
        previous = step.status


def _update_changes_of(
    service_id: str, training: Training, update: Update, after_seconds: float, until_seconds: float
) -> Iterator[UpdateChange]:
    for step in update.life.steps_between(after_seconds, until_seconds):
        yield UpdateChange(
            service=service_id,
            type=training.type,
            version=training.version,
            update=update.version,
            status=step.status,
            at_seconds=step.after_seconds,
        )
