"""What is really so in the simulator: the world that was written down, and what control changed since.

Nothing here reads a clock; every time is a number of seconds since the simulator started.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter

from watcher.simulator.world import Service, Step, Training, World


class Cause(StrEnum):
    """Who made a status change."""

    SCRIPT = "script"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """A training as it is at one moment."""

    training: Training
    status: str
    inference: bool
    born_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A training went into ``status``; ``None`` means that AiTEMS knows it no more."""

    service: str
    type: str
    version: str
    previous: str | None
    status: str | None
    at_seconds: float
    cause: Cause


@dataclass(slots=True)
class Track:
    """One training's life, and the steps that were set by hand; from the first of those on the life counts no more."""

    training: Training
    by_hand: list[Step] = field(default_factory=list)

    @property
    def taken_over_seconds(self) -> float:
        """When the first step was set by hand; infinity if none was."""
        return self.by_hand[0].after_seconds if self.by_hand else math.inf

    @property
    def born_seconds(self) -> float:
        """When the training appeared first."""
        return min(self.training.life.born_seconds, self.taken_over_seconds)

    def step_at(self, seconds: float) -> Step | None:
        """Return the step that the training is in."""
        if seconds < self.taken_over_seconds:
            return self.training.life.step_at(seconds)
        return next(step for step in reversed(self.by_hand) if step.after_seconds <= seconds)

    def seen_at(self, seconds: float) -> PollResult | None:
        """Return the training as it is shown at a time, ``None`` where AiTEMS does not know it."""
        step = self.step_at(seconds)
        if step is None or step.status is None:
            return None
        return PollResult(
            training=self.training, status=step.status, inference=step.has_result, born_seconds=self.born_seconds
        )

    def status_at(self, seconds: float) -> str | None:
        """Return the status at a time, ``None`` where AiTEMS does not know the training."""
        step = self.step_at(seconds)
        return step.status if step else None

    def steps_between(self, after_seconds: float, until_seconds: float) -> Iterator[tuple[Step, Cause]]:
        """Yield the steps taken later than the one time and not later than the other, with who made them."""
        for step in self.training.life.steps_between(after_seconds, until_seconds):
            if step.after_seconds < self.taken_over_seconds:
                yield step, Cause.SCRIPT
        for step in self.by_hand:
            if after_seconds < step.after_seconds <= until_seconds:
                yield step, Cause.CONTROL


class Truth:
    """The services and trainings of the simulated account, now and at every earlier moment."""

    def __init__(self, world: World) -> None:
        self._services: dict[str, Service] = {}
        self._tracks: dict[str, dict[tuple[str, str], Track]] = {}
        for service in world.services:
            self.put_service(service)

    @property
    def services(self) -> tuple[Service, ...]:
        """The services there are, in the order in which they came."""
        return tuple(self._services.values())

    def service(self, service_id: str) -> Service | None:
        """Return a service, ``None`` where there is none of that id."""
        return self._services.get(service_id)

    def put_service(self, service: Service) -> None:
        """Add a service or change its facts; the trainings that it has already stay as they are."""
        self._services[service.id] = replace(service, trainings=())
        tracks = self._tracks.setdefault(service.id, {})
        for training in service.trainings:
            tracks.setdefault((training.type, training.version), Track(training))

    def delete_service(self, service_id: str, seconds: float) -> bool:
        """Remove a service and all of its trainings; false where there is none of that id."""
        if self._services.pop(service_id, None) is None:
            return False
        for track in self._tracks[service_id].values():
            track.by_hand.append(Step(seconds, None))
        return True

    def put_training(self, service_id: str, training: Training, step: Step) -> None:
        """Set a training's facts, and its status from ``step`` on; the service must be there."""
        tracks = self._tracks[service_id]
        key = training.type, training.version
        if key in tracks:
            tracks[key].training = replace(training, life=tracks[key].training.life)
        else:
            tracks[key] = Track(training)
        tracks[key].by_hand.append(step)

    def delete_training(self, service_id: str, train_type: str, version: str, seconds: float) -> bool:
        """Remove a training; false where AiTEMS does not know it at that time."""
        track = self._track(service_id, train_type, version)
        if track is None or track.status_at(seconds) is None:
            return False
        track.by_hand.append(Step(seconds, None))
        return True

    def training_facts(self, service_id: str, train_type: str, version: str) -> Training | None:
        """Return what was last said of a training, also of one that is gone."""
        track = self._track(service_id, train_type, version)
        return track.training if track else None

    def training(self, service_id: str, train_type: str, version: str, seconds: float) -> PollResult | None:
        """Return one training as it is at a time."""
        track = self._track(service_id, train_type, version)
        return track.seen_at(seconds) if track else None

    def trainings(self, service_id: str, seconds: float) -> list[PollResult]:
        """Return the trainings of a service as they are at a time, in the order in which they were added."""
        seen = (track.seen_at(seconds) for track in self._tracks.get(service_id, {}).values())
        return [training for training in seen if training is not None]

    def last_change_seconds(self, service_id: str, seconds: float) -> float:
        """Return when a training of the service took its latest step; 0 if none did."""
        steps = (track.step_at(seconds) for track in self._tracks.get(service_id, {}).values())
        return max((step.after_seconds for step in steps if step), default=0.0)

    def changes(self, after_seconds: float, until_seconds: float) -> list[Change]:
        """Return every change of status later than the one time and not later than the other, in order of time."""
        found = [
            change
            for service_id, tracks in self._tracks.items()
            for track in tracks.values()
            for change in _changes_of(service_id, track, after_seconds, until_seconds)
        ]
        return sorted(found, key=attrgetter("at_seconds"))

    def _track(self, service_id: str, train_type: str, version: str) -> Track | None:
        return self._tracks.get(service_id, {}).get((train_type, version))


def _changes_of(service_id: str, track: Track, after_seconds: float, until_seconds: float) -> Iterator[Change]:
    previous = track.status_at(after_seconds)
    for step, cause in track.steps_between(after_seconds, until_seconds):
        if step.status != previous:
            yield Change(
                service=service_id,
                type=track.training.type,
                version=track.training.version,
                previous=previous,
                status=step.status,
                at_seconds=step.after_seconds,
                cause=cause,
            )
        previous = step.status
