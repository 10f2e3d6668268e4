"""Messages to systemd, received by a datagram socket in its place."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.daemon_in_process import eventually
from tests.support.virtual import VirtualClock, run
from watcher.systemd import READY, Systemd, extend_timeout, reloading, status
from watcher.wiring import systemd_notifier as notifier
from watcher.wiring.systemd_notifier import SystemdNotifier


def received(listener: socket.socket) -> list[str]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found += listener.recv(4096).decode().split("\n")
    return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)  # noqa: FBT003 - the library's own
        yield bound


def test_a_message_is_one_datagram(listener: socket.socket) -> None:
    Systemd({"NOTIFY_SOCKET": listener.getsockname()}).notify(READY, status("polling\n1 service"))
    assert listener.recv(4096) == b"READY=1\nSTATUS=polling 1 service"


def test_an_abstract_socket_gets_messages() -> None:
    name = f"aitems-watcher-{secrets.token_hex(8)}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as abstract:
        abstract.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).notify(READY)
        assert abstract.recv(4096) == b"READY=1"


@pytest.mark.parametrize(("configured", "shortened"), [(10, 9), (60, 58)])
def test_the_watchdog_time_is_a_little_shorter_than_the_unit_says(configured: int, shortened: int) -> None:
    assert Systemd({"WATCHDOG_USEC": f"{configured}000000"}).shortened_watchdog == (f"WATCHDOG_USEC={shortened}000000",)
    assert Systemd({}).shortened_watchdog == ()


def test_without_systemd_nothing_is_sent_or_logged() -> None:
    with capture_logs() as logs:
        Systemd({}).notify(READY)
    assert logs == []


def test_a_missing_socket_is_logged_once_and_raises_nothing(tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "none")})
    with capture_logs() as logs:
        systemd.notify(READY)
        systemd.notify(READY)
    assert [line["event"] for line in logs] == ["systemd.notify_failed"]


def test_a_reload_message_has_the_monotonic_time_in_microseconds() -> None:
    first, second = reloading()
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()
    assert extend_timeout(30) == "EXTEND_TIMEOUT_USEC=30000000"


@dataclass(slots=True)
class FakeStages:
    """The state of the stages, as the notifier reads it."""

    first_round: asyncio.Event = field(default_factory=asyncio.Event)
    late: dict[str, float] = field(default_factory=dict)


async def status_text() -> str:
    return "polling 3 services with 12 trainings; 1 open incident; 4 deliveries waiting"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "INTERVAL_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_it_is_ready_after_the_first_polls_and_extends_the_start_until_then(listener: socket.socket) -> None:
    stages, messages = FakeStages(), list[str]()
    systemd_notifier = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), stages.first_round, lambda: stages.late, status_text
    )
    running = asyncio.create_task(systemd_notifier.run())

    def has_sent(line: str) -> bool:
        messages.extend(received(listener))
        return line in messages

    await eventually(lambda: has_sent("EXTEND_TIMEOUT_USEC=30000000"))
    assert "READY=1" not in messages
    async with systemd_notifier.reloading():
        pass
    assert not has_sent("RELOADING=1"), "a reload during the start is part of the start"
    stages.first_round.set()
    await eventually(lambda: has_sent("READY=1"))
    assert f"STATUS={await status_text()}" in messages
    running.cancel()


async def test_it_is_ready_as_soon_as_the_first_polls_have_ended(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "INTERVAL_SECONDS", 3600.0)
    stages, messages = FakeStages(), list[str]()
    systemd_notifier = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), stages.first_round, lambda: stages.late, status_text
    )
    running = asyncio.create_task(systemd_notifier.run())

    def has_sent(line: str) -> bool:
        messages.extend(received(listener))
        return line in messages

    await eventually(lambda: has_sent("EXTEND_TIMEOUT_USEC=30000000"))
    stages.first_round.set()
    await eventually(lambda: has_sent("READY=1"))
    running.cancel()


@pytest.mark.parametrize(("watchdog_seconds", "least", "most"), [(60, 12, 13), (10, 30, 31), (5, 60, 61), (0, 12, 13)])
def test_the_watchdog_is_notified_every_five_seconds_and_several_times_within_a_shorter_watchdog_time(
    monkeypatch: pytest.MonkeyPatch, watchdog_seconds: int, least: int, most: int
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(Systemd, "notify", lambda _self, *lines: sent.extend(lines))

    async def main(_clock: VirtualClock) -> None:
        stages = FakeStages()
        stages.first_round.set()
        systemd = Systemd({"NOTIFY_SOCKET": "@none", "WATCHDOG_USEC": f"{watchdog_seconds}000000"})
        running = asyncio.create_task(
            SystemdNotifier(systemd, stages.first_round, lambda: stages.late, status_text).run()
        )
        await asyncio.sleep(60)
        running.cancel()

    run(main)
    assert least <= sent.count("WATCHDOG=1") <= most


@pytest.mark.usefixtures("quick")
async def test_a_reload_is_notified_at_its_beginning_and_its_end(listener: socket.socket) -> None:
    stages = FakeStages()
    stages.first_round.set()
    systemd_notifier = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), stages.first_round, lambda: stages.late, status_text
    )
    running = asyncio.create_task(systemd_notifier.run())
    await eventually(lambda: "READY=1" in received(listener))
    async with systemd_notifier.reloading():
        during = received(listener)
    after = received(listener)
    assert "RELOADING=1" in during
    assert "READY=1" not in during
    assert "READY=1" in after
    running.cancel()


@pytest.mark.usefixtures("quick")
async def test_r29_the_watchdog_is_notified_only_while_every_loop_makes_progress(listener: socket.socket) -> None:
    stages = FakeStages()
    systemd_notifier = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), stages.first_round, lambda: stages.late, status_text
    )
    running = asyncio.create_task(systemd_notifier.run())
    await eventually(lambda: "WATCHDOG=1" in received(listener))
    with capture_logs() as logs:
        stages.late = {"routing": 50.0}
        await eventually(lambda: any(line["event"] == "watchdog.withheld" for line in logs))
        received(listener)
        await asyncio.sleep(0.1)
        assert "WATCHDOG=1" not in received(listener)
        stages.late = {}
        await eventually(lambda: "WATCHDOG=1" in received(listener))
    events = [line["event"] for line in logs if line["event"].startswith("watchdog")]
    assert events == ["watchdog.withheld", "watchdog.resumed"]
    running.cancel()


@pytest.mark.usefixtures("quick")
async def test_a_status_line_that_cannot_be_read_does_not_end_the_notifier(listener: socket.socket) -> None:
    async def failing() -> str:
        raise OSError("no store")

    stages = FakeStages()
    systemd_notifier = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), stages.first_round, lambda: stages.late, failing
    )
    running = asyncio.create_task(systemd_notifier.run())
    await eventually(lambda: received(listener).count("WATCHDOG=1") >= 1)
    await eventually(lambda: received(listener).count("WATCHDOG=1") >= 1)
    assert not running.done()
    running.cancel()
