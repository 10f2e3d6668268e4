"""The result of a heartbeat call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from watcher.core.secret import Secret
from watcher.http import Answered, FailureReason, Headers, HttpRequest, HttpResult, MaybeSent, NotSent
from watcher.web.pinger import Pinger

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Http:
    """Gives one result to every call."""

    result: HttpResult

    async def call(self, _: HttpRequest) -> HttpResult:
        return self.result


async def failure(result: HttpResult) -> str | None:
    http: Any = Http(result)
    return await Pinger(http, lambda: Secret("https://hc.example.com/uuid")).ping()


def complete(status: int) -> Answered:
    return Answered(status=status, headers=Headers(), body=b"", asked_at=NOW, answered_at=NOW)


def cut(status: int | None, reason: FailureReason = FailureReason.TRUNCATED) -> MaybeSent:
    return MaybeSent(reason=reason, detail="hc.example.com:443: cut", asked_at=NOW, ended_at=NOW, status=status)


@pytest.mark.parametrize("status", [200, 204, 299])
@pytest.mark.parametrize("reason", [FailureReason.TRUNCATED, FailureReason.TOO_LARGE, FailureReason.DEADLINE])
async def test_a_2xx_counts_with_and_without_its_body(status: int, reason: FailureReason) -> None:
    assert await failure(complete(status)) is None
    assert await failure(cut(status, reason)) is None


@pytest.mark.parametrize(("status", "text"), [(404, "HTTP 404"), (302, "HTTP 302: a redirect is not followed")])
async def test_another_status_is_the_failure_with_and_without_its_body(status: int, text: str) -> None:
    assert await failure(complete(status)) == text
    assert await failure(cut(status)) == text


async def test_a_call_without_a_status_is_a_failure() -> None:
    assert await failure(cut(None)) == "hc.example.com:443: cut"
    refused = NotSent(reason=FailureReason.CONNECT, detail="refused", asked_at=NOW, ended_at=NOW)
    assert await failure(refused) == "refused"
