"""The JSON and TOML form of a fault, for scripts and the control endpoint."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from watcher.simulator.calls import CallKind
from watcher.simulator.faults.kinds import check_fault
from watcher.simulator.faults.plan import Fault
from watcher.simulator.invented.durations import Seconds, SignedSeconds


class FaultModel(BaseModel):
    """The keys of a fault; durations are texts such as ``"5s"`` or numbers of seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    service: str | None = None
    call: CallKind | None = Field(default=None, strict=False)
    times: int | None = None
    rate: float = 1.0
    at_seconds: Seconds | None = Field(default=None, alias="at")
    for_seconds: Seconds | None = Field(default=None, alias="for")
    retry_after: str | None = None
    retry_after_date_seconds: SignedSeconds | None = Field(default=None, alias="retry_after_date")
    seconds: SignedSeconds | None = None
    size: int | None = None
    status: int | None = None
    text: str | None = None
    content_type: str | None = None

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.fault()
        return self

    def fault(self) -> Fault:
        """Return the fault; raises ``ValueError`` for an invalid one."""
        return check_fault(Fault(**self.model_dump()))


def as_document(fault: Fault) -> dict[str, object]:
    """Return a fault with its keys in JSON, without those that are not set."""
    names = FaultModel.model_fields.items()
    document = {field.alias or name: getattr(fault, name) for name, field in names}
    return {key: value for key, value in document.items() if value is not None}
