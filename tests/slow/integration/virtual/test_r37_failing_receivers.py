"""R37: a receiver that fails for an hour without refusing is announced in time, and nothing is doubled afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.slow.integration.virtual.test_r14_whole import FAILURES, responding
from tests.support import daemon_in_process
from tests.support.fault_table import remark
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Behaviour, Consumer, VirtualConsumers
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.http import FailureReason, HttpResult, HttpSettings, NotSent

HOUR: Final = 3600.0
FAILING_AFTER: Final = 15 * 60.0
MINUTE: Final = 60.0
STATUSES: Final = ("requesting", "waiting", "learning", "learningFailed")
HTML: Final = b"<html><body>Welcome</body></html>"


def not_sent(reason: FailureReason) -> Behaviour:
    def fail(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
        now = consumer.clock.utc_now()
        return NotSent(reason=reason, detail=reason.value, asked_at=now, ended_at=now)

    return fail


def page(status: int, body: bytes) -> Behaviour:
    return lambda consumer, _settings: consumer.respond(status, body, {"content-type": "text/html"})


OF_WEBHOOKS: Final[Mapping[str, Behaviour]] = {
    **{name: FAILURES[name] for name in ("hangs", "resets", "no connection", "503", "429 for ever")},
    "dns": not_sent(FailureReason.DNS),
    "tls": not_sent(FailureReason.TLS),
    "500": responding(500),
    "HTML 404": page(404, HTML),
}
OF_CHATS: Final[Mapping[str, Behaviour]] = {
    "HTML 200": page(200, HTML),
    "HTML 404": page(404, HTML),
    "not ok": page(200, b'{"ok":false}'),
    "503": responding(503),
}
CASES: Final = [("hook", name) for name in OF_WEBHOOKS] + [("chat", name) for name in OF_CHATS]
IN_CI: Final = {("hook", "dns"), ("chat", "HTML 200")}


def parameters() -> list[object]:
    return [
        pytest.param(*case, id=" ".join(case), marks=() if case in IN_CI else pytest.mark.torture) for case in CASES
    ]


async def change(consumers: VirtualConsumers, pause_seconds: float) -> None:
    """Take every training through its stages."""
    for status in STATUSES:
        for number in range(6):
            consumers.set_status(f"v{number}", status)
            await asyncio.sleep(pause_seconds)


@pytest.mark.parametrize(("receiver", "failure"), parameters())
def test_r37_a_receiver_that_fails_for_an_hour_is_announced_in_time_and_nothing_is_doubled(
    tmp_path: Path, receiver: str, failure: str
) -> None:
    async def main(clock: VirtualClock) -> None:
        hooks = {name: Consumer(clock) for name in ("ops", "hook", "spare")}
        consumers = VirtualConsumers(
            tmp_path,
            clock,
            hooks,
            chats=("chat",),
            interval_seconds=5,
            unrouted=frozenset({"spare"}),
            fallbacks={receiver: "spare"},
        )
        failing = consumers.chat if receiver == "chat" else hooks[receiver]
        for number in range(6):
            consumers.set_status(f"v{number}", "ready")
        async with consumers.running() as daemon:
            await asyncio.sleep(60)
            failing.behaviour = (OF_CHATS if receiver == "chat" else OF_WEBHOOKS)[failure]
            began = clock.monotonic()
            await change(consumers, 20)
            await asyncio.sleep(began + FAILING_AFTER + 3 * MINUTE - clock.monotonic())
            reasons = [reason.code.value for reason in await daemon.health_endpoints.reasons()]
            assert "receiver-failing" in reasons
            await asyncio.sleep(began + HOUR - clock.monotonic())
            failing.behaviour = lambda _consumer, _settings: None
            await consumers.wait_until_delivered(3 * HOUR)
            assert "receiver-failing" not in [reason.code for reason in await daemon.health_endpoints.reasons()]
        assert consumers.broken_invariants() == []
        judge(consumers, receiver, failing, began)

    run(main)


def judge(consumers: VirtualConsumers, receiver: str, failing: Consumer, began: float) -> None:
    """Check the announcements, the fallback, and that nothing arrived twice."""
    ops, spare = consumers.hooks["ops"], consumers.hooks["spare"]
    first_attempt = min(time for time in failing.attempt_times if time >= began)
    announced = [(item.at, event) for item in ops.received for event in item.events if event["receiver"]]
    assert [event["kind"] for _, event in announced] == ["receiver-failing", "receiver-recovered"]
    start = consumers.clock.true_now().timestamp() - consumers.clock.monotonic()
    after = announced[0][0].timestamp() - start - first_attempt
    remark(f"announced {after / 60:.1f} min after the first failed attempt")
    assert after <= FAILING_AFTER + MINUTE
    assert announced[0][1]["receiver"]["name"] == receiver

    history = daemon_in_process.history(consumers.folder)
    failed = {item.event.id for item in history if item.event.kind is Kind.FAILED}
    assert len(failed) == 6
    by_fallback = [event for event in spare.events if event["fallback_for"] == receiver]
    assert Counter(event["id"] for event in by_fallback if event["kind"] == "failed") == dict.fromkeys(failed, 1)
    outcomes = [item for event in history for item in event.delivery_outcomes if item.receiver == receiver]
    assert {item.state for item in outcomes} == {State.DELIVERED}
    assert len(failing.received) == len({item.delivery_id for item in outcomes})
