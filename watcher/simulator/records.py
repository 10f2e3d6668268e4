"""The JSON objects of AiTEMS, with the fields that its pages list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Final

from watcher.core.training.model import Phase, phase_of
from watcher.simulator.truth import TrainingState
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


def service_item(
    service: SimulatedService, trainings: Iterable[TrainingState], updated_at: datetime, started_at: datetime
) -> object:
    """Return an item of "Get service list"."""
    return {
        "serviceId": service.id,
        "name": service.name,
        "status": service_status(service, trainings),
        "createdDate": aitems_date(started_at),
        "updatedDate": aitems_date(updated_at),
        "actionName": "View/getServiceDetail",
        "permission": "Allow",
    }


def service_record(
    service: SimulatedService, trainings: Iterable[TrainingState], updated_at: datetime, started_at: datetime
) -> dict[str, object]:
    """Return the body of "Get service"; only a service of type ``interval`` has some of the fields."""
    record: dict[str, object] = {"serviceId": service.id, "name": service.name}
    if service.description is not None:
        record["description"] = service.description
    record["status"] = service_status(service, trainings)
    record["datasets"] = [{"datasetId": dataset, "type": kind} for dataset, kind in _DATASETS]
    record["hpConfig"] = dict(NO_HPO)
    if service.type is ServiceType.INTERVAL:
        record["infers"] = []
    record["createdDate"] = aitems_date(started_at)
    record["updatedDate"] = aitems_date(updated_at)
    record["type"] = service.type.value
    if service.learning_interval is not None:
        record["learningInterval"] = service.learning_interval
        record["scheduledDate"] = aitems_date(_next_training(service.learning_interval, updated_at))
    return record


def service_status(service: SimulatedService, trainings: Iterable[TrainingState]) -> str:
    """Return the status of the service itself; trainings have other statuses."""
    if service.status is not None:
        return service.status
    busy = any(phase_of(state.status) is Phase.IN_PROGRESS for state in trainings)
    if service.type is ServiceType.INTERVAL:
        return "scheduledLearning" if busy else "scheduled"
    return "learning" if busy else "learnable"


def _next_training(interval: str, updated_at: datetime) -> datetime:
    whole_hour = updated_at.replace(minute=0, second=0, microsecond=0)
    return whole_hour + timedelta(hours=int(interval.removeprefix("hour")))
