"""The whole daemon on virtual time: all but the sockets is what runs in earnest, the log and the file included.

In the place of the HTTP client stand functions from request to answer, one for each host.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import structlog

from tests.support import daemon_in_process
from tests.support.invariants import Life
from tests.support.recording_simulator import ShownAnswer
from tests.support.soak import KEPT_OF_A_RUN
from tests.support.virtual import VirtualClock, World
from watcher import config
from watcher import logs as telemetry
from watcher.app import Daemon, Runtime, open_daemon
from watcher.core.secret import Secret
from watcher.http import Answered, FailureReason, HttpRequest, HttpResult, HttpSettings, MaybeSent
from watcher.logs import Redactor
from watcher.simulator import CallKind

OPENERS: Final = ("watcher.wiring.accounts", "watcher.wiring.receivers", "watcher.wiring.health_endpoints")
"""The modules that make HTTP clients."""

Peer = Callable[[HttpRequest, HttpSettings], Awaitable[HttpResult]]


class Drawer:
    """Keeps on the disk what the judgement needs, so that the memory is the daemon's alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def put(self, item: object) -> None:
        """Keep it."""
        pickle.dump(item, self._file)

    def all(self) -> Iterator[Any]:
        """Keep nothing more; return everything, in order."""
        self._file.close()
        with self._path.open("rb") as file:
            while file.peek(1):
                yield pickle.load(file)  # noqa: S301 - written above


@dataclass(slots=True)
class _List:
    """What is said of a service until something changes."""

    announced: int = 0
    answer: Answered | None = None


@dataclass(slots=True)
class VirtualNetwork(World):
    """A world that remembers next to nothing itself."""

    drawer: Drawer | None = None
    longest_wait: float = 0.0
    """The longest that a service waited from one list to the next."""
    quiet_since: float = 0.0
    """Waits that began before this moment, in virtual seconds, are somebody else's doing."""
    _lists: dict[str, _List] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _runs: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    async def ask(self, request: HttpRequest, settings: HttpSettings) -> HttpResult:
        """Answer one signed request of the daemon."""
        url = request.url.reveal() if isinstance(request.url, Secret) else request.url
        path = urlsplit(url).path
        if request.on_write is not None:
            request.on_write()
        assert request.signer is not None
        assert request.signer(request.method, path.encode())
        if path.endswith("/trains"):
            self._note_wait(path)
        asked_at = self.clock.utc_now()
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                await asyncio.sleep(self.latency_seconds)
                trouble = self.trouble(self.clock.monotonic(), path)
                answer = await trouble if isinstance(trouble, Awaitable) else trouble
        except TimeoutError:
            return late(self.clock, asked_at=asked_at)
        return answer or self.honest(path, asked_at)

    def _note_wait(self, path: str) -> None:
        now = self.clock.monotonic()
        before = self._asked.get(path, now)
        if before >= self.quiet_since:
            self.longest_wait = max(self.longest_wait, now - before)
        self._asked[path] = now

    def change(self, name: tuple[str, str], word: str) -> None:
        """Let a training have another status."""
        self.trainings[name] = word
        self._lists.pop(name[0], None)

    def honest(self, path: str, asked_at: datetime | None = None) -> Answered:
        """Return the answer that tells what is; put what is news into the drawer."""
        service = path.split("/")[4]
        if not path.endswith("/trains"):
            return self._event_history(self.document(path), CallKind.VIEW, asked_at)
        known = self._lists.setdefault(service, _List())
        if known.announced <= KEPT_OF_A_RUN:
            known.announced += not self.clock.step
            known.answer = self._event_history(self.document(path), CallKind.LIST, asked_at)
            return known.answer
        assert known.answer is not None
        return replace(self.answer(200, None, asked_at=asked_at), body=known.answer.body)

    def _event_history(self, document: Any, kind: CallKind, asked_at: datetime | None) -> Answered:
        if not self.clock.step and self.drawer is not None:
            for item in document.get("trains", [document]):
                subject = (item["serviceId"], item["type"], item["version"])
                if self._is_news(subject, item["status"]):
                    self.drawer.put(ShownAnswer(self.clock.true_now(), subject, item["status"], kind))
        return self.answer(200, document, asked_at=asked_at)

    def _is_news(self, subject: tuple[str, str, str], status: str) -> bool:
        word, times = self._runs.get(subject, ("", 0))
        times = times + 1 if word == status else 1
        self._runs[subject] = (status, times)
        return times <= KEPT_OF_A_RUN

    def take_longest_wait(self) -> float:
        """Return the longest wait since the last call."""
        longest, self.longest_wait = self.longest_wait, 0.0
        return longest

    def step_the_clock(self, by: timedelta) -> None:
        """Let our wall clock be wrong by so much; the server's stays right."""
        self.clock.step, self.date_off = by, -by


def late(clock: VirtualClock, *, asked_at: datetime) -> MaybeSent:
    """Return that no answer came in time."""
    return MaybeSent(
        reason=FailureReason.DEADLINE, detail="no whole answer", asked_at=asked_at, ended_at=clock.utc_now()
    )


class _Line:
    """Stands for ``HttpClient``: one attempt, and every failure is a result."""

    def __init__(self, peers: Mapping[str, Peer], settings: HttpSettings) -> None:
        self._peers = peers
        self._settings = settings

    async def call(self, request: HttpRequest) -> HttpResult:
        url = request.url.reveal() if isinstance(request.url, Secret) else request.url
        return await self._peers[urlsplit(url).hostname or ""](request, self._settings)

    async def aclose(self) -> None:
        return


@contextmanager
def lines_to(peers: Mapping[str, Peer]) -> Iterator[None]:
    """Let every HTTP client that is made within the block lead to these hosts."""
    with ExitStack() as stack:
        for module in OPENERS:
            stack.enter_context(mock.patch(f"{module}.HttpClient", lambda settings, _: _Line(peers, settings)))
        yield


@contextmanager
def apscheduler_on(clock: VirtualClock) -> Iterator[None]:
    """Let APScheduler count on this wall clock, with its steps, instead of the machine's."""

    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # the type of its values is enough
            return clock.utc_now().astimezone(tz)

    with mock.patch("apscheduler.schedulers.base.datetime", VirtualDatetime):
        yield


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write the daemon's log as in earnest, into a file."""
    before = structlog.get_config()
    with path.open("a", encoding="utf-8") as file:
        telemetry.configure(Redactor(), stream=file)
        try:
            yield
        finally:
            structlog.configure(**before)


@asynccontextmanager
async def living(  # noqa: PLR0913 - what a test sets up, the last ones optional
    folder: Path,
    text: str,
    world: World,
    environ: Mapping[str, str],
    *,
    ends_in_order: bool,
    keep_history: timedelta | None = None,
) -> AsyncIterator[Daemon]:
    """Let the daemon live as long as the block runs; one that does not end in order stops where it is.

    Args:
        folder: the store's.
        text: the configuration.
        world: it remembers the life.
        environ: what is set beside what a house sets.
        ends_in_order: whether it is asked to stop.
        keep_history: a shorter time than a configuration may name.
    """
    loaded = config.load(folder / "config.toml", text=text)
    if keep_history is not None:
        loaded = replace(loaded, state=loaded.state.model_copy(update={"keep_history": keep_history}))
    with (folder / "told.log").open("a", encoding="utf-8") as output, apscheduler_on(world.clock):
        clock: Any = world.clock
        around = Runtime(
            environ={**daemon_in_process.ENVIRON, **environ}, redactor=Redactor(), clock=clock, output=output
        )
        born = world.clock.true_now()
        async with open_daemon(loaded, around, purpose="test") as daemon:
            stop = asyncio.Event()
            task = asyncio.create_task(daemon.run(stop))
            try:
                yield daemon
            finally:
                if ends_in_order:
                    stop.set()
                else:
                    task.cancel()
                await asyncio.gather(task, return_exceptions=ends_in_order is False)
        world.lives.append(Life(born, world.clock.true_now()))
