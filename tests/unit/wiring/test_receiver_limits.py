"""The limits of receivers fit together."""

from __future__ import annotations

from math import ceil

from watcher.core.delivery.receiver import CONNECTIONS
from watcher.pipeline.delivery.attempt import LEASE
from watcher.pipeline.delivery.worker import PARALLEL_FAST
from watcher.wiring.receivers import RECEIVER_TIMEOUT_SECONDS


def test_no_lease_ends_while_its_attempt_waits_for_a_connection() -> None:
    """Every attempt before it may take the longest time."""
    assert ceil(PARALLEL_FAST / CONNECTIONS) * RECEIVER_TIMEOUT_SECONDS < LEASE.total_seconds()
