"""The control socket, as a file with permissions and as a conversation."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from watcher.control.client import request
from watcher.control.protocol import MAX_REQUEST_BYTES, ControlError, Handler, NoDaemonError
from watcher.control.server import ControlServer
from watcher.control.socket_path import LONGEST_BYTES, link_path, socket_path


async def echo(arguments: Mapping[str, object]) -> Mapping[str, object]:
    return {"got": dict(arguments)}


async def refuse(_arguments: Mapping[str, object]) -> Mapping[str, object]:
    raise ControlError("not on a Sunday; come back on Monday")


async def fail(_arguments: Mapping[str, object]) -> Mapping[str, object]:
    raise RuntimeError("the secret is hunter2")


HANDLERS: dict[str, Handler] = {"echo": echo, "refuse": refuse, "fail": fail}


@asynccontextmanager
async def served(path: Path, link: Path | None = None) -> AsyncIterator[Path]:
    async with ControlServer(path, HANDLERS, link=link):
        yield path


async def ask(path: Path, command: str, arguments: Mapping[str, object] | None = None) -> Mapping[str, object]:
    return await asyncio.to_thread(request, path, command, arguments or {}, timeout_seconds=10.0)


def raw(path: Path, sent: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        connection.connect(str(path))
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer: dict[str, object] = json.loads(connection.makefile("rb").read())
        return answer


async def test_a_command_is_answered_with_what_its_handler_says(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "echo", {"a": [1, "b"]}) == {"got": {"a": [1, "b"]}}


async def test_a_refusal_comes_back_in_the_handlers_words(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"^not on a Sunday; come back on Monday$"):
            await ask(path, "refuse")


async def test_a_fault_of_a_handler_is_said_without_its_text(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"^fail failed by a fault of the daemon; see its log$"):
            await ask(path, "fail")


async def test_an_unknown_command_is_refused_with_those_there_are(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"it knows echo, fail, refuse$"):
            await ask(path, "dance")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"hello\n", "one JSON object"),
        (b"[1]\n", "one JSON object"),
        (b"[" * 50_000 + b"\n", "one JSON object"),
        (b'{"command": 1}\n', "a request is a line such as"),
        (b'{"command": "echo", "arguments": []}\n', "a request is a line such as"),
        (b'{"command": "echo"}', "ended within the line"),
        (b"", "ended within the line"),
        (b'{"command": "' + b"x" * MAX_REQUEST_BYTES + b'"}\n', "the request is longer than"),
    ],
)
async def test_what_is_no_request_is_refused(tmp_path: Path, sent: bytes, said: str) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert said in str((await asyncio.to_thread(raw, path, sent))["error"])
        assert await ask(path, "echo") == {"got": {}}


async def test_a_client_that_sends_nothing_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.connect(str(path))
            assert await ask(path, "echo") == {"got": {}}


def test_where_nobody_listens_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoDaemonError, match="is it running"):
        request(tmp_path / "none.sock", "ping", {})


def test_what_a_dead_daemon_left_counts_as_nobody(tmp_path: Path) -> None:
    leave_behind(tmp_path / "dead.sock")
    with pytest.raises(NoDaemonError, match="is it running"):
        request(tmp_path / "dead.sock", "ping", {})


def leave_behind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
        dead.listen()


async def test_what_a_dead_daemon_left_is_replaced_and_gone_at_the_end(tmp_path: Path) -> None:
    leave_behind(tmp_path / "control.sock")
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "echo") == {"got": {}}
    assert not path.exists()


async def test_a_living_daemons_socket_is_left_alone(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(OSError, match="in use"):
            await ControlServer(path, {}).__aenter__()
        assert await ask(path, "echo") == {"got": {}}


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("mine")
    with pytest.raises(OSError, match="in use"):
        await ControlServer(tmp_path / "control.sock", {}).__aenter__()
    assert (tmp_path / "control.sock").read_text() == "mine"


async def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_path_longer_than_a_socket_address_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    assert len(str(folder)) > LONGEST_BYTES
    async with served(folder / "control.sock") as path:
        assert await ask(path, "echo") == {"got": {}}
    assert not list(folder.iterdir())


async def test_the_link_beside_the_store_leads_to_the_runtime_folder(tmp_path: Path) -> None:
    store, runtime = tmp_path / "state" / "watcher.db", tmp_path / "runtime"
    for folder in (store.parent, runtime):
        folder.mkdir()
    path = socket_path(store, {"RUNTIME_DIRECTORY": f"{runtime}:/elsewhere"})
    assert path == runtime / "control.sock"
    async with served(path, link_path(store)):
        assert await ask(link_path(store), "echo") == {"got": {}}
    assert not list(store.parent.iterdir())


def test_without_a_runtime_folder_the_socket_is_beside_the_store(tmp_path: Path) -> None:
    store = tmp_path / "watcher.db"
    assert socket_path(store, {}) == link_path(store) == tmp_path / "watcher.db.sock"
