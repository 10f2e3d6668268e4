"""The whole daemon on virtual time among consumers that do as a test says: hours of it, judged by the checker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.support import daemon_in_process, virtual_daemon
from tests.support.changing_trainings import all_delivered
from tests.support.invariants import violations
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from tests.support.virtual import VirtualClock
from watcher.app import Daemon
from watcher.core.event import Event
from watcher.http import Answered, Headers, HttpRequest, HttpResult, HttpSettings

API: Final = "https://api.example/api/v1"
ON_THE_WAY_SECONDS: Final = 0.02

CONFIG: Final = """
[state]
url = "sqlite:///watcher.db"

[web]
listen = ""

[delivery]
flap_limit = 100000
{delivery}

[account.main]
base_url = "{api}"
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}
"""
WATCH: Final = """
[[watch]]
service = "{service}"
interval = "{seconds}s"
idle_interval = "{seconds}s"
"""
HOOK: Final = """
[receiver.{name}]
kind = "webhook"
url = "https://{name}.example/in"
secret = {{ env = "WEBHOOK_SECRET" }}
"""
CHAT: Final = """
[receiver.{name}]
kind = "slack-webhook"
url = {{ env = "SLACK_URL" }}
"""
ROUTE: Final = """
[[route]]
match = {{ kind = "*" }}
to = [{receivers}]
"""
ENVIRON: Final = {"SLACK_URL": "https://chat.example/services/T000/B000/secretpart"}

Mood = Callable[["Consumer", HttpSettings], Awaitable[HttpResult | None] | HttpResult | None]


class _Arrivals(list[ShownAnswer]):
    """What was shown, in memory."""

    put = list.append


@dataclass(slots=True)
class Consumer:
    """One at the other end: takes everything in, unless its mood has another answer."""

    clock: VirtualClock
    mood: Mood = lambda _consumer, _settings: None
    received: list[Received] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    """When attempts came, in virtual seconds."""

    async def __call__(self, request: HttpRequest, settings: HttpSettings) -> HttpResult:
        """Answer one request."""
        if request.on_write is not None:
            request.on_write()
        self.tries.append(self.clock.monotonic())
        await asyncio.sleep(ON_THE_WAY_SECONDS)
        mood = self.mood(self, settings)
        other = await mood if isinstance(mood, Awaitable) else mood
        if other is not None:
            return other
        assert request.body is not None
        identity = str(request.headers.get("webhook-id", ""))
        self.received.append(Received(self.clock.true_now(), {"webhook-id": identity}, request.body))
        return self.says(200)

    def says(self, status: int, body: bytes = b"ok", headers: Mapping[str, str] | None = None) -> Answered:
        """Return an answer that comes now."""
        now = self.clock.utc_now()
        return Answered(
            status=status, headers=Headers((headers or {}).items()), body=body, asked_at=now, answered_at=now
        )

    @property
    def events(self) -> list[Any]:
        """Every event that arrived, in order, as often as it did."""
        return [event for item in self.received for event in item.events]


@dataclass(slots=True)
class VirtualConsumers:
    """A daemon, what it watches and whom it tells."""

    folder: Path
    clock: VirtualClock
    hooks: Mapping[str, Consumer]
    chats: tuple[str, ...] = ()
    """Slack receivers; all of them lead into one channel."""
    services: tuple[str, ...] = ("s1",)
    interval_seconds: int = 30
    delivery: str = ""
    chat: Consumer = field(init=False)
    world: virtual_daemon.VirtualNetwork = field(init=False)
    shown: list[ShownAnswer] = field(init=False)
    """What answers showed."""

    def __post_init__(self) -> None:
        self.chat = Consumer(self.clock)
        self.shown = backup_folder = _Arrivals()
        self.world = virtual_daemon.VirtualNetwork(self.clock, drawer=backup_folder)  # type: ignore[arg-type]  # a list does for it

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names of everyone."""
        return (*self.hooks, *self.chats)

    def show(self, version: str, word: str, service: str | None = None) -> None:
        """Let a training have another status."""
        self.world.change((service or self.services[0], version), word)

    def prune(self, version: str, service: str | None = None) -> None:
        """Let a training be there no more."""
        name = (service or self.services[0], version)
        self.show(version, "", name[0])
        del self.world.trainings[name]

    def settings(self) -> str:
        """Return the configuration."""
        names = ", ".join(f'"{name}"' for name in self.receivers)
        connections = [CONFIG.format(api=API, delivery=self.delivery)]
        connections += [WATCH.format(service=service, seconds=self.interval_seconds) for service in self.services]
        connections += [HOOK.format(name=name) for name in self.hooks]
        connections += [CHAT.format(name=name) for name in self.chats]
        return "".join([*connections, ROUTE.format(receivers=names)])

    @asynccontextmanager
    async def living(self, *, ends_in_order: bool = True) -> AsyncIterator[Daemon]:
        """Let a daemon live as long as the block runs."""
        peers: dict[str, virtual_daemon.Peer] = {"api.example": self.world.ask, "chat.example": self.chat}
        peers |= {f"{name}.example": hook for name, hook in self.hooks.items()}
        with virtual_daemon.lines_to(peers), virtual_daemon.logging_to(self.folder / "daemon.log"):
            text = self.settings()
            async with virtual_daemon.living(
                self.folder, text, self.world, ENVIRON, ends_in_order=ends_in_order
            ) as daemon:
                yield daemon

    async def settled(self, seconds: float = 3600.0) -> None:
        """Wait until nothing waits for its route or its delivery any more."""
        async with asyncio.timeout(seconds):
            while not all_delivered(self.folder):
                await asyncio.sleep(1)

    def hook_count(self) -> int:
        """Return how many messages arrived anywhere."""
        return sum(len(consumer.received) for consumer in (*self.hooks.values(), self.chat))

    def recorded(self) -> list[Event]:
        """Return every event, in the order of recording."""
        return [announced.event for announced in daemon_in_process.history(self.folder)]

    def broken_invariants(self, *, witnessed: bool = True) -> list[str]:
        """Compare what was shown, recorded, and arrived; ``witnessed`` as the checker's."""
        received = {name: hook.received for name, hook in self.hooks.items()}
        evidence = daemon_in_process.evidence(self.folder, self.shown, self.world.lives, received)
        names = frozenset(self.receivers)

        def routed(event: Event) -> frozenset[str]:
            # Nobody is told of itself.
            return names if event.receiver is None else names - {event.receiver.name}

        return violations(replace(evidence, witnessed=witnessed, routed=routed))
