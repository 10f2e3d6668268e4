"""What systemd hears, over a real datagram socket in its place."""

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
from watcher.systemd import READY, Systemd, more_time, reloading, status
from watcher.wiring import systemd_notifier as notifier
from watcher.wiring.systemd_notifier import SystemdNotifier


def heard(listener: socket.socket) -> list[str]:
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
    Systemd({"NOTIFY_SOCKET": listener.getsockname()}).notify(READY, status("all\nwell"))
    assert listener.recv(4096) == b"READY=1\nSTATUS=all well"


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"aitems-watcher-{secrets.token_hex(8)}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as abstract:
        abstract.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).notify(READY)
        assert abstract.recv(4096) == b"READY=1"


@pytest.mark.parametrize(("unit", "asked"), [(10, 9), (60, 58)])
def test_a_hang_is_to_be_found_a_little_sooner_than_the_unit_says(unit: int, asked: int) -> None:
    assert Systemd({"WATCHDOG_USEC": f"{unit}000000"}).sooner_watchdog == (f"WATCHDOG_USEC={asked}000000",)
    assert Systemd({}).sooner_watchdog == ()


def test_without_systemd_nothing_is_said() -> None:
    with capture_logs() as logs:
        Systemd({}).notify(READY)
    assert logs == []


def test_a_socket_that_is_gone_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "none")})
    with capture_logs() as logs:
        systemd.notify(READY)
        systemd.notify(READY)
    assert [line["event"] for line in logs] == ["systemd.notify_failed"]


def test_a_reload_is_announced_with_its_monotonic_microseconds() -> None:
    first, second = reloading()
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()
    assert more_time(30) == "EXTEND_TIMEOUT_USEC=30000000"


@dataclass(slots=True)
class State:
    """What the herald is told by the stages."""

    first_round: asyncio.Event = field(default_factory=asyncio.Event)
    late: dict[str, float] = field(default_factory=dict)


async def words() -> str:
    return "watching 12 trainings in 3 services; 1 incident; 4 alerts waiting"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "EVERY_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_it_is_ready_after_the_first_polls_and_asks_for_time_until_then(listener: socket.socket) -> None:
    state, said = State(), list[str]()
    announced = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), state.first_round, lambda: state.late, words
    )
    running = asyncio.create_task(announced.run())

    def has_said(line: str) -> bool:
        said.extend(heard(listener))
        return line in said

    await eventually(lambda: has_said("EXTEND_TIMEOUT_USEC=30000000"))
    assert "READY=1" not in said
    await announced.reload_begins()
    state.first_round.set()
    await eventually(lambda: has_said("READY=1"))
    assert "RELOADING=1" not in said, "a reload within the start is part of the start"
    assert f"STATUS={await words()}" in said
    running.cancel()


@pytest.mark.usefixtures("quick")
async def test_r29_the_watchdog_is_fed_only_while_every_stage_turns(listener: socket.socket) -> None:
    state = State()
    announced = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), state.first_round, lambda: state.late, words
    )
    running = asyncio.create_task(announced.run())
    await eventually(lambda: "WATCHDOG=1" in heard(listener))
    with capture_logs() as logs:
        state.late = {"routing": 50.0}
        await eventually(lambda: any(line["event"] == "watchdog.withheld" for line in logs))
        heard(listener)
        await asyncio.sleep(0.1)
        assert "WATCHDOG=1" not in heard(listener)
        state.late = {}
        await eventually(lambda: "WATCHDOG=1" in heard(listener))
    said = [line["event"] for line in logs if line["event"].startswith("watchdog")]
    assert said == ["watchdog.withheld", "watchdog.resumed"]
    running.cancel()


@pytest.mark.usefixtures("quick")
async def test_a_status_that_cannot_be_had_ends_nothing(listener: socket.socket) -> None:
    async def failing() -> str:
        raise OSError("no store")

    state = State()
    announced = SystemdNotifier(
        Systemd({"NOTIFY_SOCKET": listener.getsockname()}), state.first_round, lambda: state.late, failing
    )
    running = asyncio.create_task(announced.run())
    await eventually(lambda: heard(listener).count("WATCHDOG=1") >= 1)
    await eventually(lambda: heard(listener).count("WATCHDOG=1") >= 1)
    assert not running.done()
    running.cancel()
