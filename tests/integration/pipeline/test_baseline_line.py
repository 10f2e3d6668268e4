"""The log line about the findings of the first polls, after ``watcher.ready``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support import daemon_in_process
from watcher.simulator import Simulator, serve
from watcher.wiring import systemd_notifier

NOTHING: Mapping[tuple[str, str], str] = {}
SEVERAL = {
    ("6wxgu1abcde", "v1"): "learning",
    ("6wxgu1abcde", "v2"): "completed",
    ("6wxgu1abcdf", "v1"): "learning",
    ("6wxgu1abcdf", "v2"): "hibernating",
}
ONE = {("6wxgu1abcde", "v1"): "requestFailed"}


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd_notifier, "INTERVAL_SECONDS", 0.02)


@pytest.mark.parametrize(
    ("trainings", "watched", "found"),
    [
        (ONE, ["6wxgu1abcde"], {"services": 1, "trainings": 1, "statuses": {"requestFailed": 1}, "failed_polls": 0}),
        (
            SEVERAL,
            ["6wxgu1abcde", "6wxgu1abcdf"],
            {
                "services": 2,
                "trainings": 4,
                "statuses": {"completed": 1, "hibernating": 1, "learning": 2},
                "failed_polls": 0,
            },
        ),
        (
            ONE,
            ["6wxgu1abcde", "6wxgu1nowhere"],
            {"services": 2, "trainings": 1, "statuses": {"requestFailed": 1}, "failed_polls": 1},
        ),
        (
            NOTHING,
            ["6wxgu1nowhere"],
            {"services": 1, "trainings": 0, "statuses": {}, "failed_polls": 1},
        ),
    ],
    ids=["one", "several", "one poll fails", "nothing"],
)
async def test_one_line_after_ready_has_the_findings_of_the_first_polls(
    trainings: Mapping[tuple[str, str], str], watched: list[str], found: Mapping[str, object], tmp_path: Path
) -> None:
    api = Simulator()
    for (service, version), status in trainings.items():
        api.set_training(service, "pop", version, status)
    with capture_logs() as lines:
        async with serve(api) as simulator:
            text = daemon_in_process.settings(simulator.base_url, watched, {"hook": "http://127.0.0.1:9/"})
            async with daemon_in_process.running(tmp_path, text):
                await daemon_in_process.eventually(lambda: any(line["event"] == "watcher.ready" for line in lines))
    events = [line["event"] for line in lines]
    assert events.count("baseline.recorded") == 1
    assert events[events.index("watcher.ready") + 1] == "baseline.recorded"
    line = lines[events.index("baseline.recorded")]
    assert {key: line[key] for key in found} == found
