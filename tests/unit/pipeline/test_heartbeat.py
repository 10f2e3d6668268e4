"""The heartbeat is sent only while the watcher is ready, and each change is logged once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from structlog.testing import capture_logs

from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.pipeline.heartbeat import Heartbeat, HeartbeatOutcome


class ExternalMonitor:
    """The called service, and the watcher's reasons for not being ready."""

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


async def test_the_heartbeat_is_sent_while_the_watcher_is_ready() -> None:
    monitor = ExternalMonitor()
    assert await monitor.heartbeat().beat() is HeartbeatOutcome.SENT
    assert monitor.pings == 1


async def test_the_heartbeat_is_withheld_for_a_reason_which_is_logged_once_per_change() -> None:
    monitor = ExternalMonitor()
    heartbeat = monitor.heartbeat()
    with capture_logs() as logs:
        for not_ready_reasons in ([NotReady.LOOP], [NotReady.LOOP], [NotReady.DEAD], [], []):
            monitor.not_ready_reasons = not_ready_reasons
            await heartbeat.beat()
    assert monitor.pings == 2
    assert [line["event"] for line in logs] == ["heartbeat.withheld", "heartbeat.withheld", "heartbeat.resumed"]
    assert list(logs[0]["reasons"]) == ["loop-late"]


async def test_neither_an_unfinished_first_round_nor_an_announced_receiver_withholds_the_heartbeat() -> None:
    monitor = ExternalMonitor()
    monitor.not_ready_reasons = [NotReady.FIRST_ROUND, NotReady.RECEIVER_FAILING]
    assert await monitor.heartbeat().beat() is HeartbeatOutcome.SENT


async def test_a_failure_is_logged_once_and_so_is_its_end() -> None:
    monitor = ExternalMonitor()
    heartbeat = monitor.heartbeat()
    with capture_logs() as logs:
        for problem in ("HTTP 500", "HTTP 500", None, None):
            monitor.problem = problem
            await heartbeat.beat()
    assert monitor.pings == 4
    assert [line["event"] for line in logs] == ["heartbeat.failed", "heartbeat.recovered"]
