"""P3: views without a budget, beside other clients in the same minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Final

from bench.clients import CLIENTS
from bench.daemon import Server, server
from bench.figure import Bar, Figure, Yardstick
from bench.polling import PER_SERVICE, running, single
from bench.world import service_name, version

PATH: Final = f"/api/v1/services/{service_name(0)}/trains/pop/versions/{version(0)}"
BARS: Final = {"aiohttp": 0.12, "httpx": 3.0, "httpx2": 0.7}
TRAININGS: Final = 2000


def saturated_figures(seconds: float) -> list[Figure]:
    """P3: requests a CPU second, as a ratio to each other client that is installed."""
    ours = _watcher(seconds)
    with server(1, PER_SERVICE) as api:
        others = {name: rate for name in CLIENTS if (rate := _client(name, api, seconds)) is not None}
    figures = [Figure(id="P3", name="views without a budget", value=ours, unit="requests a CPU second")]
    return figures + [_ratio(name, ours, rate) for name, rate in others.items()]


def _ratio(name: str, ours: float, other: float) -> Figure:
    return Figure(
        id="P3",
        name=f"views, as a ratio to {name}",
        value=ours / other,
        unit="times",
        bar=BARS[name],
        side=Bar.AT_LEAST,
        yardstick=Yardstick(f"{name}, requests a CPU second", other),
    )


def _watcher(seconds: float) -> float:
    with running(TRAININGS, list(single(TRAININGS, "1s")), rate=10_000.0, per_service=1) as (api, watcher):
        watcher.wait_for_baseline()
        time.sleep(2)
        before, polls = watcher.usage(), api.control("counts")["polls"]
        time.sleep(seconds)
        used = watcher.usage().since(before).cpu_seconds
        return float((api.control("counts")["polls"] - polls) / used)


def _client(name: str, api: Server, seconds: float) -> float | None:
    command = [os.environ.get("BENCH_PYTHON", sys.executable), "-m", "bench.clients", name, api.url, PATH, str(seconds)]
    ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own program
    if ended.returncode:
        return None
    result = json.loads(ended.stdout)
    return float(result["requests"] / result["cpu_seconds"])
