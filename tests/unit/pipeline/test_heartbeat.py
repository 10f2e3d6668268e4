"""The heartbeat is given only while there is no reason against it, and each change is said once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from structlog.testing import capture_logs

from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.pipeline.heartbeat import Heartbeat, Outcome


class Elsewhere:
    """What is pinged, and what the watcher says of itself."""

    def __init__(self) -> None:
        self.pings = 0
        self.problem: str | None = None
        self.not_ready_reasons: Sequence[NotReady] = ()

    async def ping(self) -> str | None:
        self.pings += 1
        return self.problem

    async def reasons(self) -> Sequence[NotReadyReason]:
        return [NotReadyReason(code=not_ready, detail="…") for not_ready in self.not_ready_reasons]

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(self.ping, self.reasons, timedelta(minutes=1), lambda _outcome: None)


async def test_it_is_given_while_there_is_no_reason_against_it() -> None:
    elsewhere = Elsewhere()
    assert await elsewhere.heartbeat().beat() is Outcome.SENT
    assert elsewhere.pings == 1


async def test_it_is_withheld_for_a_reason_which_is_said_once_and_again_when_it_changes() -> None:
    elsewhere = Elsewhere()
    heartbeat = elsewhere.heartbeat()
    with capture_logs() as logs:
        for not_ready_reasons in ([NotReady.LOOP], [NotReady.LOOP], [NotReady.DEAD], [], []):
            elsewhere.not_ready_reasons = not_ready_reasons
            await heartbeat.beat()
    assert elsewhere.pings == 2
    assert [line["event"] for line in logs] == ["heartbeat.withheld", "heartbeat.withheld", "heartbeat.resumed"]
    assert list(logs[0]["reasons"]) == ["loop-late"]


async def test_a_first_round_under_way_does_not_withhold_it() -> None:
    elsewhere = Elsewhere()
    elsewhere.not_ready_reasons = [NotReady.FIRST_ROUND]
    assert await elsewhere.heartbeat().beat() is Outcome.SENT


async def test_a_failure_is_said_once_and_its_end_too() -> None:
    elsewhere = Elsewhere()
    heartbeat = elsewhere.heartbeat()
    with capture_logs() as logs:
        for problem in ("HTTP 500", "HTTP 500", None, None):
            elsewhere.problem = problem
            await heartbeat.beat()
    assert elsewhere.pings == 4
    assert [line["event"] for line in logs] == ["heartbeat.failed", "heartbeat.recovered"]
