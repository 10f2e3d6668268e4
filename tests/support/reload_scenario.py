"""A daemon whose configuration changes while it runs, with its simulator and webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.support import daemon_in_process
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.simulator import serve

FIRST: Final = "6wxgu1abcde"
SECOND: Final = "7wxgu1abcde"


@dataclass(slots=True)
class ReloadScenario:
    """The simulator, the webhook, and the configuration file of a daemon."""

    folder: Path
    api: RecordingSimulator
    base_url: str
    hook: Inbox
    environ: dict[str, str] = field(default_factory=dict)
    runs: list[DaemonRun] = field(default_factory=list)

    def show(self, status: str, service: str = FIRST, version: str = "v1") -> None:
        """Set the status of a training."""
        self.api.set_training(service, "pop", version, status)

    def text(self, *services: str, hooks: Mapping[str, str] | None = None) -> str:
        """Return a configuration that sends all events of these services."""
        return daemon_in_process.settings(self.base_url, list(services), hooks or {"hook": self.hook.url})

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    def write(self, text: str) -> None:
        """Write the configuration file."""
        self.file.write_text(text)

    @asynccontextmanager
    async def running(self, text: str, *, failing: bool = False) -> AsyncIterator[Daemon]:
        """Run the daemon with this configuration; ``failing`` where its first polls fail on purpose."""
        self.write(text)
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(self.folder, text, self.environ) as daemon:
            # A first poll that failed on a busy machine would make the first change of a test the baseline.
            await daemon_in_process.eventually(lambda: failing or not daemon.poller.failing())
            yield daemon
        self.runs.append(DaemonRun(started_at, datetime.now(UTC)))

    async def wait_for_polls(self, service: str, times: int = 2) -> None:
        """Wait for so many more polls of a service."""
        start = len(self.api.shown)
        await daemon_in_process.eventually(
            lambda: sum(item.subject[0] == service for item in self.api.shown[start:]) >= times
        )

    async def wait_for_events(self, count: int, hook: Inbox | None = None) -> list[tuple[object, object]]:
        """Wait for so many events at the webhook; return the service and status of each."""
        inbox = hook or self.hook
        await daemon_in_process.eventually(lambda: len(inbox.events()) >= count)
        return [(event["service"], event["to"]) for event in inbox.events()]

    def broken_invariants(self, watched: Sequence[str] = (FIRST, SECOND)) -> list[str]:
        """Compare the answers about these services with the records and the arrivals."""
        shown = [item for item in self.api.shown if item.subject[0] in watched]
        return violations(daemon_in_process.evidence(self.folder, shown, self.runs, {"hook": self.hook.received}))


@asynccontextmanager
async def open_scenario(folder: Path) -> AsyncIterator[ReloadScenario]:
    """Set up two services with one training each, and a webhook."""
    api = RecordingSimulator()
    for service in (FIRST, SECOND):
        api.set_training(service, "pop", "v1", "waiting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield ReloadScenario(folder, api, simulator.base_url, hook)


async def reload(daemon: Daemon) -> Mapping[str, object]:
    """Reload the configuration of the daemon."""
    return (await daemon.reloader.reload()).as_json()
