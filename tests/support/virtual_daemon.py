"""The complete daemon on virtual time; only the HTTP client is replaced.

Functions from request to answer replace it, one for each host.
"""

from __future__ import annotations

import asyncio
import io
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
from tests.support.invariants import DaemonRun
from tests.support.recording_simulator import ShownAnswer
from tests.support.soak import KEPT_OF_A_RUN
from tests.support.virtual import FakeApi, VirtualClock, target_of
from watcher import config
from watcher import logs as telemetry
from watcher.app import Daemon, Runtime, open_daemon
from watcher.core.secret import revealed
from watcher.http import Answered, FailureReason, HttpRequest, HttpResult, HttpSettings, MaybeSent
from watcher.line_writer import EXIT_SECONDS, LineWriter
from watcher.logs import Redactor
from watcher.simulator import CallKind

OPENERS: Final = ("watcher.wiring.accounts", "watcher.wiring.receivers", "watcher.wiring.health_endpoints")
"""The modules that make HTTP clients."""

Peer = Callable[[HttpRequest, HttpSettings], Awaitable[HttpResult]]


class PickleLog:
    """Keeps the input of the checker on disk, so that the measured memory is the daemon's alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def add(self, item: object) -> None:
        """Append an item."""
        pickle.dump(item, self._file)

    def read_all(self) -> Iterator[Any]:
        """Close the file, and yield all items in order."""
        self._file.close()
        with self._path.open("rb") as file:
            while file.peek(1):
                yield pickle.load(file)  # noqa: S301 - written above


@dataclass(slots=True)
class _CachedList:
    """The list answer of a service until its next change."""

    recorded: int = 0
    answer: Answered | None = None


@dataclass(slots=True)
class VirtualNetwork(FakeApi):
    """An API for long runs, which keeps almost nothing in memory."""

    answer_log: PickleLog | None = None
    longest_wait: float = 0.0
    """The longest wait of a service from one list call to the next."""
    waits_count_from: float = 0.0
    """Waits that began before this time, in virtual seconds, do not count."""
    _lists: dict[str, _CachedList] = field(default_factory=dict)
    _polled_at: dict[str, float] = field(default_factory=dict)
    _runs: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    async def serve(self, request: HttpRequest, settings: HttpSettings) -> HttpResult:
        """Answer one signed request."""
        target = target_of(revealed(request.url))
        path = target.partition("?")[0]
        if request.on_write is not None:
            request.on_write()
        assert request.signer is not None
        assert request.signer(request.method, path.encode())
        if target.endswith("/trains"):
            self._note_wait(path)
        asked_at = self.clock.utc_now()
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                await asyncio.sleep(self.latency_seconds)
                fault = self.fault(self.clock.monotonic(), target)
                answer = await fault if isinstance(fault, Awaitable) else fault
        except TimeoutError:
            return deadline_result(self.clock, asked_at=asked_at)
        return answer or self.true_answer(target, asked_at)

    def _note_wait(self, path: str) -> None:
        now = self.clock.monotonic()
        before = self._polled_at.get(path, now)
        if before >= self.waits_count_from:
            self.longest_wait = max(self.longest_wait, now - before)
        self._polled_at[path] = now

    def set_status(self, name: tuple[str, str], status: str) -> None:
        """Set the status of a training."""
        self.trainings[name] = status
        self._lists.pop(name[0], None)

    def true_answer(self, path: str, asked_at: datetime | None = None) -> Answered:  # noqa: PLR0911 - one a call
        """Return the true answer, and log its new statuses."""
        document: Any = self.about_updates(path)
        if document is not None:
            return self.answer(200, document, asked_at=asked_at)
        if "?" in path:
            return self.past_end(path, asked_at)
        if path.endswith("/services"):
            return self.answer(200, self.document(path), asked_at=asked_at)
        service = path.split("/")[4]
        if not path.endswith("/trains"):
            document = self.document(path)
            if document is None:
                return self.not_found(path, asked_at)
            return self._logged_answer(document, CallKind.VIEW, asked_at)
        cached = self._lists.setdefault(service, _CachedList())
        if cached.recorded <= KEPT_OF_A_RUN:
            cached.recorded += not self.clock.step
            cached.answer = self._logged_answer(self.document(path), CallKind.LIST, asked_at)
            return cached.answer
        assert cached.answer is not None
        return replace(self.answer(200, None, asked_at=asked_at), body=cached.answer.body)

    def _logged_answer(self, document: Any, kind: CallKind, asked_at: datetime | None) -> Answered:
        if not self.clock.step and self.answer_log is not None:
            for item in document.get("trains", [document]):
                subject = (item["serviceId"], item["type"], item["version"])
                if self._is_new(subject, item["status"]):
                    self.answer_log.add(ShownAnswer(self.clock.true_now(), subject, item["status"], kind))
        return self.answer(200, document, asked_at=asked_at)

    def _is_new(self, subject: tuple[str, str, str], status: str) -> bool:
        previous, times = self._runs.get(subject, ("", 0))
        times = times + 1 if previous == status else 1
        self._runs[subject] = (status, times)
        return times <= KEPT_OF_A_RUN

    def take_longest_wait(self) -> float:
        """Return the longest wait since the last call."""
        longest, self.longest_wait = self.longest_wait, 0.0
        return longest

    def step_clock(self, by: timedelta) -> None:
        """Set the error of our wall clock; the server's clock stays right."""
        self.clock.step, self.date_offset = by, -by


def deadline_result(clock: VirtualClock, *, asked_at: datetime) -> MaybeSent:
    """Return the result of an attempt that reached its deadline."""
    return MaybeSent(
        reason=FailureReason.DEADLINE, detail="no complete answer", asked_at=asked_at, ended_at=clock.utc_now()
    )


class _FakeHttpClient:
    """Replaces ``HttpClient``: it passes each request to the function for its host."""

    def __init__(self, peers: Mapping[str, Peer], settings: HttpSettings) -> None:
        self._peers = peers
        self._settings = settings

    async def call(self, request: HttpRequest) -> HttpResult:
        url = revealed(request.url)
        return await self._peers[urlsplit(url).hostname or ""](request, self._settings)

    async def aclose(self) -> None:
        return


@contextmanager
def connect_clients_to(peers: Mapping[str, Peer]) -> Iterator[None]:
    """Connect every HTTP client that is made within the block to these functions."""

    def fake_client(settings: HttpSettings, _clock: object) -> _FakeHttpClient:
        return _FakeHttpClient(peers, settings)

    with ExitStack() as stack:
        for module in OPENERS:
            stack.enter_context(mock.patch(f"{module}.HttpClient", fake_client))
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
def log_to_file(path: Path) -> Iterator[None]:
    """Write the daemon's log to a file, in its real format."""
    before = structlog.get_config()
    with path.open("a", encoding="utf-8") as file:
        writer = telemetry.configure(Redactor(), stream=file)
        try:
            yield
        finally:
            structlog.configure(**before)
            writer.drain(EXIT_SECONDS)


@asynccontextmanager
async def running(  # noqa: PLR0913 - the options of a test
    folder: Path,
    text: str,
    api: FakeApi,
    environ: Mapping[str, str],
    *,
    graceful: bool,
    keep_history: timedelta | None = None,
) -> AsyncIterator[Daemon]:
    """Run the daemon while the block runs; without ``graceful``, it stops where it is, as in a crash.

    Args:
        folder: the folder of the store.
        text: the configuration.
        api: the API, which keeps the run.
        environ: variables beside those of ``daemon_in_process``.
        graceful: whether the daemon is asked to stop.
        keep_history: a shorter time than a configuration allows.
    """
    loaded = config.load(folder / "config.toml", text=text)
    if keep_history is not None:
        loaded = replace(loaded, state=loaded.state.model_copy(update={"keep_history": keep_history}))
    with apscheduler_on(api.clock):
        clock: Any = api.clock
        runtime = Runtime(
            environ={**daemon_in_process.ENVIRON, **environ},
            redactor=Redactor(),
            clock=clock,
            # In memory: a thread would run in real time.
            output=LineWriter(io.StringIO()),
        )
        started_at = api.clock.true_now()
        async with open_daemon(loaded, runtime, purpose="test") as daemon:
            stop = asyncio.Event()
            task = asyncio.create_task(daemon.run(stop))
            try:
                yield daemon
            finally:
                if graceful:
                    stop.set()
                else:
                    task.cancel()
                await asyncio.gather(task, return_exceptions=graceful is False)
        api.runs.append(DaemonRun(started_at, api.clock.true_now()))
