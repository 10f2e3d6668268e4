"""The JSON objects of AiTEMS, with the fields that its pages list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from watcher.core.training.model import Status
from watcher.simulator.truth import TrainingState, UpdateState
from watcher.simulator.world import NO_HPO, ServiceType, SimulatedService

_KOREA: Final = timezone(timedelta(hours=9))
_DATASETS: Final = (("u1aa0user00", "user"), ("i1aa0item00", "item"), ("x1aa0inter0", "interaction"))


def aitems_date(time: datetime) -> str:
    """Return a time in the format of AiTEMS: Korean local time with milliseconds and without a zone."""
    return time.astimezone(_KOREA).replace(tzinfo=None).isoformat(timespec="milliseconds")


def training_record(service_id: str, state: TrainingState, started_at: datetime) -> dict[str, object]:
    """Return the body of "View training"; ``started_at`` is the simulator's start in UTC."""
    training = state.training
    record: dict[str, object] = {
        "serviceId": service_id,
        "type": training.type,
        "hpConfig": dict(training.hp_config),
        "version": training.version,
    }
    if training.description is not None:
        record["description"] = training.description
    record["status"] = state.status
    record["createdDate"] = training.created_date or aitems_date(started_at + timedelta(seconds=state.born_seconds))
    record["inference"] = state.inference
    return record


def update_record(state: UpdateState, started_at: datetime) -> dict[str, object]:
    """Return an item of "Get update list"; the end and the result are left out until there are any."""
    record: dict[str, object] = {
        "updateVersion": state.version,
        "status": state.status,
        "type": state.type,
        "createdDate": aitems_date(started_at + timedelta(seconds=state.created_seconds)),
    }
    if state.finished_seconds is not None:
        record["finishedDate"] = aitems_date(started_at + timedelta(seconds=state.finished_seconds))
    if state.status == Status.COMPLETED:
        record["updateResult"] = {"inputUsersCnt": state.users}
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """The state of a service at one time."""

    service: SimulatedService
    is_busy: bool
    """Whether a training or an update is in progress."""
    created_at: datetime
    updated_at: datetime
    scheduled_at: datetime | None
    """The next planned start; ``None`` for a service of type ``batch``."""

    @property
    def status(self) -> str:
        """The status of the service itself; trainings have other statuses."""
        if self.service.status is not None:
            return self.service.status
        if self.service.type is ServiceType.INTERVAL:
            return "scheduledLearning" if self.is_busy else "scheduled"
        return "learning" if self.is_busy else "learnable"


def service_item(state: ServiceState) -> object:
    """Return an item of "Get service list"."""
    return {
        "serviceId": state.service.id,
        "name": state.service.name,
        "status": state.status,
        "createdDate": aitems_date(state.created_at),
        "updatedDate": aitems_date(state.updated_at),
        "actionName": "View/getServiceDetail",
        "permission": "Allow",
    }


def service_record(state: ServiceState) -> dict[str, object]:
    """Return the body of "Get service"; only a service of type ``interval`` has some of the fields."""
    service = state.service
    record: dict[str, object] = {"serviceId": service.id, "name": service.name}
    if service.description is not None:
        record["description"] = service.description
    record["status"] = state.status
    record["datasets"] = [{"datasetId": dataset, "type": kind} for dataset, kind in _DATASETS]
    record["hpConfig"] = dict(NO_HPO)
    if service.type is ServiceType.INTERVAL:
        record["infers"] = []
    record["createdDate"] = aitems_date(state.created_at)
    record["updatedDate"] = aitems_date(state.updated_at)
    record["type"] = service.type.value
    if state.scheduled_at is not None:
        record["learningInterval"] = service.learning_interval
        record["scheduledDate"] = aitems_date(state.scheduled_at)
    return record
