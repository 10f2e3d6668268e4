"""The script that a user would write instead: view each training in turn, compare, and sleep.

``python -m bench.naive URL SERVICES PER_SERVICE SECONDS`` prints its polls and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import Final

from bench.clients import headers
from bench.daemon import Server
from bench.world import service_name, version

INTERVAL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class NaiveUse:
    """The use of the script."""

    polls: int
    cpu_seconds: float

    @property
    def milliseconds(self) -> float:
        """CPU time of one view."""
        return 1000 * self.cpu_seconds / max(1, self.polls)


def measure(api: Server, services: int, per_service: int, seconds: float) -> NaiveUse:
    """Run the script beside the benchmark's server."""
    given = [api.url, str(services), str(per_service), str(seconds)]
    ended = subprocess.run([sys.executable, "-m", "bench.naive", *given], capture_output=True, check=True)  # noqa: S603
    return NaiveUse(**json.loads(ended.stdout))


def main() -> None:
    """Poll until the time is over."""
    url, services, per_service, seconds = sys.argv[1], *map(float, sys.argv[2:])
    paths = [
        f"/api/v1/services/{service_name(service)}/trains/pop/versions/{version(number)}"
        for service in range(int(services))
        for number in range(int(per_service))
    ]
    before, polls = time.process_time(), 0
    known: dict[str, str] = {}
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for path in paths:
            request = urllib.request.Request(url + path, headers=headers(path))  # noqa: S310 - loopback
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                known[path] = json.load(answer)["status"]
            polls += 1
        time.sleep(max(0.0, min(end, now + INTERVAL_SECONDS) - time.monotonic()))
    print(json.dumps({"polls": polls, "cpu_seconds": time.process_time() - before}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
