"""A receiver that keeps failing and recovering: the others are notified at once each time that it fails."""

from __future__ import annotations

from asyncio import sleep
from datetime import timedelta
from pathlib import Path

from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import running_deliveries, unavailable
from watcher.core.delivery.model import Policy
from watcher.core.event import Kind

AWAY = 20.0
POLICY = Policy(
    first_retry=timedelta(seconds=1), max_retry=timedelta(seconds=3), failing_after=timedelta(seconds=AWAY / 2)
)


def test_every_failure_of_a_flapping_receiver_is_announced_at_once(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook, ops = FakeReceiver(), FakeReceiver(name="ops", pace_key="ops")
        async with running_deliveries(tmp_path, clock, [hook, ops], policy=POLICY, flap_limit=4) as deliveries_run:
            for number in range(6):
                hook.outcome = unavailable(clock.monotonic() + AWAY, clock)
                await deliveries_run.record([f"v{number}"], Kind.FAILED)
                await sleep(AWAY)
                assert ops.kinds.count("receiver-failing") == number + 1
                await sleep(AWAY)
            assert ops.kinds.count("receiver-recovered") == 5, "the last one waits for its digest"
            await sleep(700)
            assert [event.seq for event in ops.events if event.receiver] == list(range(1, 13)), "in order"
            assert deliveries_run.broken_invariants() == []

    run(main)
