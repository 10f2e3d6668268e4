"""P4 and P10: from a change to its webhook, and the cost of an idle watcher."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.daemon import configuration, daemon, server
from bench.figure import Figure, Yardstick, percentile

SERVICES: Final = 10
PER_SERVICE: Final = 50
PAUSE_SECONDS: Final = 0.25
EVERY_SECOND: Final = 'service = "*"\ninterval = "1s"\nidle_interval = "1s"'
DEFAULTS: Final = 'service = "{}"'


def latency_figures(seconds: float, peer: str, peers: Sequence[float] | None) -> list[Figure]:
    """P4: changes of 500 trainings that are polled each second, beside those of a peer in the same minutes."""
    with tempfile.TemporaryDirectory() as name, server(SERVICES, PER_SERVICE) as api:
        folder = Path(name)
        with daemon(folder, configuration(api, folder, [EVERY_SECOND])):
            time.sleep(5)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                api.control("move-one")
                time.sleep(PAUSE_SECONDS)
            time.sleep(5)
            seen = api.control("counts")
    name = "500 trainings at 1 s, change to POST"
    return [
        *(
            Figure(
                id="P4",
                name=f"{name}, p{percent}",
                value=percentile(seen["latencies"], percent),
                unit="s",
                bar=bar,
                yardstick=Yardstick(peer, percentile(peers, percent)) if peers else None,
            )
            for percent, bar in ((50, 0.6), (99, 1.6))
        ),
        Figure(id="P4", name=f"{name}: without a POST", value=seen["awaited"], unit="changes", bar=0),
    ]


def idle_figures(seconds: float) -> list[Figure]:
    """P10: three services at the default intervals."""
    with tempfile.TemporaryDirectory() as name, server(3, PER_SERVICE) as api:
        folder = Path(name)
        watches = [DEFAULTS.format(service) for service in ("bench00000", "bench00001", "bench00002")]
        with daemon(folder, configuration(api, folder, watches, rate=1.0)) as watcher:
            time.sleep(15)
            before = watcher.usage()
            time.sleep(seconds)
            used = watcher.usage().since(before)
    name = "three idle services"
    return [
        Figure(id="P10", name=name, value=100 * used.cpu_seconds / seconds, unit="% of a core", bar=0.2),
        Figure(id="P10", name=f"{name}: wake-ups", value=used.wakeups / seconds, unit="/s", bar=3.0),
        Figure(id="P10", name=f"{name}: memory", value=used.memory_mb, unit="MB", bar=65),
    ]
