"""The services and trainings that ``discover`` found, as ``[[watch]]`` blocks to paste and as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watcher.core.messages.advice import advice
from watcher.core.messages.text import one_line
from watcher.core.polling.result import PollFailure
from watcher.core.training.model import Observation, ServiceRef

NAME_LIMIT: Final = 100
ID_LIMIT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A service of an account, with its trainings or the failure to list them."""

    ref: ServiceRef
    name: str | None
    trainings: Sequence[Observation] | PollFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccount:
    """An account, with its services or the failure to list them."""

    account: str
    services: Sequence[FoundService] | PollFailure

    @property
    def failures(self) -> Iterator[tuple[str, PollFailure]]:
        """The failed calls, each with the thing that it asked for."""
        if isinstance(self.services, PollFailure):
            yield f"the services of account {self.account}", self.services
            return
        for found in self.services:
            if isinstance(found.trainings, PollFailure):
                yield f"the trainings of {found.ref.service} of account {self.account}", found.trainings


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryReport:
    """The services and trainings that were found, ready to print; the daemon passes it to the command."""

    accounts: Sequence[object]
    """The accounts for programs; empty unless asked for."""
    blocks: Sequence[str]
    """The lines to paste; empty unless asked for."""
    failures: Sequence[str]

    def as_json(self) -> dict[str, object]:
        """Return the report for the control socket."""
        return {"accounts": self.accounts, "blocks": self.blocks, "failures": self.failures}


class Form(StrEnum):
    """A form of the report."""

    ACCOUNTS = "accounts"
    BLOCKS = "blocks"


def report_of(found: Sequence[FoundAccount], forms: Collection[Form]) -> DiscoveryReport:
    """Return the services and trainings in these forms, and the failures."""
    return DiscoveryReport(
        accounts=[account_json(item) for item in found] if Form.ACCOUNTS in forms else [],
        blocks=[line for item in found for line in blocks(item)] if Form.BLOCKS in forms else [],
        failures=[line for item in found for line in failure_lines(item)],
    )


def toml_string(text: str, limit: int = ID_LIMIT) -> str:
    """Write a basic string of TOML 1.0 in one line, without control characters for a terminal.

    JSON escapes quotes and backslashes as TOML does, and ``one_line`` leaves no other character to escape.
    """
    return json.dumps(one_line(text, limit), ensure_ascii=False)


def blocks(found: FoundAccount) -> Iterator[str]:
    """Return the lines to paste: a block for each service, and a commented block for each training."""
    if isinstance(found.services, PollFailure):
        return
    for service in found.services:
        yield from _service_block(service)
        if not isinstance(service.trainings, PollFailure):
            for training in service.trainings:
                yield from _training_block(training)


def _service_block(found: FoundService) -> Iterator[str]:
    yield "[[watch]]"
    yield f"account = {toml_string(found.ref.account)}"
    yield f"service = {toml_string(found.ref.service)}"
    # A name may consist of unprintable characters alone; nothing of it is left then.
    name = one_line(found.name or "", NAME_LIMIT)
    if name:
        yield f"name = {toml_string(name, NAME_LIMIT)}"
    yield ""


def _training_block(training: Observation) -> Iterator[str]:
    ref = training.ref
    yield f"# {one_line(training.status, NAME_LIMIT)}; the block above covers it; to watch it alone:"
    yield "# [[watch]]"
    yield f"# account = {toml_string(ref.account)}"
    yield f"# service = {toml_string(ref.service)}"
    yield f"# type = {toml_string(ref.type)}"
    yield f"# version = {toml_string(ref.version)}"
    yield ""


def failure_lines(found: FoundAccount) -> Iterator[str]:
    """Return two lines for each failed call: the cause and the remedy."""
    for about, failure in found.failures:
        yield f"cannot list {about}: {failure.cause}: {failure.detail}"
        yield f"  {advice(failure.cause)}"


def account_json(found: FoundAccount) -> dict[str, object]:
    """Return an account for programs; texts from AiTEMS are unchanged."""
    services = [] if isinstance(found.services, PollFailure) else [_service_json(item) for item in found.services]
    failures = [_failure_json(*item) for item in found.failures]
    return {"account": found.account, "services": services, "failures": failures}


def _service_json(found: FoundService) -> dict[str, object]:
    trainings = None if isinstance(found.trainings, PollFailure) else [_training_json(item) for item in found.trainings]
    return {"service": found.ref.service, "name": found.name, "trainings": trainings}


def _training_json(training: Observation) -> dict[str, object]:
    return {"training_type": training.ref.type, "version": training.ref.version, "status": training.status}


def _failure_json(about: str, failure: PollFailure) -> dict[str, object]:
    return {"about": about, "cause": failure.cause.value, "detail": failure.detail, "advice": advice(failure.cause)}
