"""The complete daemon on virtual time, with consumers whose behaviour a test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.support import daemon_in_process, virtual_daemon
from tests.support.accounts import account_table
from tests.support.changing_trainings import all_delivered
from tests.support.invariants import violations
from tests.support.recording_simulator import ShownAnswer
from tests.support.servers import Received
from tests.support.virtual import VirtualClock
from watcher.app import Daemon
from watcher.core.event import Event
from watcher.http import Answered, Headers, HttpRequest, HttpResult, HttpSettings

API: Final = "https://api.example/api/v1"
LATENCY_SECONDS: Final = 0.02

CONFIG: Final = """
[state]
url = "sqlite:///watcher.db"

[web]
listen = ""

[delivery]
flap_limit = 100000
{delivery}
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

Behaviour = Callable[["Consumer", HttpSettings], Awaitable[HttpResult | None] | HttpResult | None]


class _AnswerList(list[ShownAnswer]):
    """An answer log in memory."""

    add = list.append


@dataclass(slots=True)
class Consumer:
    """A consumer that accepts every request, unless its behaviour returns another answer."""

    clock: VirtualClock
    behaviour: Behaviour = lambda _consumer, _settings: None
    received: list[Received] = field(default_factory=list)
    attempt_times: list[float] = field(default_factory=list)
    """The times of the attempts, in virtual seconds."""

    async def __call__(self, request: HttpRequest, settings: HttpSettings) -> HttpResult:
        """Answer one request."""
        if request.on_write is not None:
            request.on_write()
        self.attempt_times.append(self.clock.monotonic())
        await asyncio.sleep(LATENCY_SECONDS)
        result = self.behaviour(self, settings)
        answer = await result if isinstance(result, Awaitable) else result
        if answer is not None:
            return answer
        assert request.body is not None
        identity = str(request.headers.get("webhook-id", ""))
        self.received.append(Received(self.clock.true_now(), {"webhook-id": identity}, request.body))
        return self.respond(200)

    def respond(self, status: int, body: bytes = b"ok", headers: Mapping[str, str] | None = None) -> Answered:
        """Return an answer with the present time."""
        now = self.clock.utc_now()
        return Answered(
            status=status, headers=Headers((headers or {}).items()), body=body, asked_at=now, answered_at=now
        )

    @property
    def events(self) -> list[Any]:
        """All arrived events in order, with repeats."""
        return [event for item in self.received for event in item.events]


@dataclass(slots=True)
class VirtualConsumers:
    """A daemon with its API, its webhooks and its Slack channel."""

    folder: Path
    clock: VirtualClock
    hooks: Mapping[str, Consumer]
    chats: tuple[str, ...] = ()
    """The names of Slack receivers, all of one channel."""
    services: tuple[str, ...] = ("s1",)
    interval_seconds: int = 30
    delivery: str = ""
    unrouted: frozenset[str] = frozenset()
    """Receivers that no route names."""
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    """The fallback of each receiver that has one."""
    chat: Consumer = field(init=False)
    api: virtual_daemon.VirtualNetwork = field(init=False)
    shown: list[ShownAnswer] = field(init=False)
    """The statuses in answers."""

    def __post_init__(self) -> None:
        self.chat = Consumer(self.clock)
        self.shown = answers = _AnswerList()
        self.api = virtual_daemon.VirtualNetwork(self.clock, answer_log=answers)  # type: ignore[arg-type]  # it has add()

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names of all receivers."""
        return (*self.hooks, *self.chats)

    def set_status(self, version: str, status: str, service: str | None = None) -> None:
        """Set the status of a training."""
        self.api.set_status((service or self.services[0], version), status)

    def delete_training(self, version: str, service: str | None = None) -> None:
        """Delete a training."""
        name = (service or self.services[0], version)
        self.set_status(version, "", name[0])
        del self.api.trainings[name]

    def settings(self) -> str:
        """Return the configuration."""
        names = ", ".join(f'"{name}"' for name in self.receivers if name not in self.unrouted)
        parts = [CONFIG.format(delivery=self.delivery), account_table(API)]
        parts += [WATCH.format(service=service, seconds=self.interval_seconds) for service in self.services]
        parts += [HOOK.format(name=name) + self._fallback(name) for name in self.hooks]
        parts += [CHAT.format(name=name) + self._fallback(name) for name in self.chats]
        return "".join([*parts, ROUTE.format(receivers=names)])

    def _fallback(self, name: str) -> str:
        return f'fallback = "{self.fallbacks[name]}"\n' if name in self.fallbacks else ""

    @asynccontextmanager
    async def running(self, *, graceful: bool = True) -> AsyncIterator[Daemon]:
        """Run a daemon while the block runs."""
        peers: dict[str, virtual_daemon.Peer] = {"api.example": self.api.serve, "chat.example": self.chat}
        peers |= {f"{name}.example": hook for name, hook in self.hooks.items()}
        with virtual_daemon.connect_clients_to(peers), virtual_daemon.log_to_file(self.folder / "daemon.log"):
            text = self.settings()
            async with virtual_daemon.running(self.folder, text, self.api, ENVIRON, graceful=graceful) as daemon:
                yield daemon

    async def wait_until_delivered(self, seconds: float = 3600.0) -> None:
        """Wait until every event is routed and no delivery is open."""
        async with asyncio.timeout(seconds):
            while not all_delivered(self.folder):
                await asyncio.sleep(1)

    def message_count(self) -> int:
        """Return the number of messages at all receivers."""
        return sum(len(consumer.received) for consumer in (*self.hooks.values(), self.chat))

    def recorded(self) -> list[Event]:
        """Return every event, in the order of recording."""
        return [announced.event for announced in daemon_in_process.history(self.folder)]

    def broken_invariants(self, *, answers_comparable: bool = True) -> list[str]:
        """Compare answers, records and arrivals; ``answers_comparable`` as in the checker."""
        received = {name: hook.received for name, hook in self.hooks.items()}
        evidence = daemon_in_process.evidence(self.folder, self.shown, self.api.runs, received)
        names = frozenset(self.receivers)

        def routed(event: Event) -> frozenset[str]:
            # A receiver gets no events about itself.
            return names if event.receiver is None else names - {event.receiver.name}

        # A fallback gets events that its route does not name.
        by_route = None if self.fallbacks else routed
        return violations(replace(evidence, answers_comparable=answers_comparable, routed=by_route))
