"""The control socket: the file with its permissions, and the exchange of requests and answers."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from tests.support.daemon_in_process import eventually
from watcher.control import server
from watcher.control.client import request
from watcher.control.follow import follow
from watcher.control.protocol import (
    MAX_REQUEST_BYTES,
    ConnectionLostError,
    ControlError,
    Handler,
    NoDaemonError,
    Report,
    ReportingHandler,
)
from watcher.control.server import ControlServer
from watcher.control.socket_path import MAX_PATH_BYTES, link_path, socket_path


async def echo(arguments: Mapping[str, object]) -> Mapping[str, object]:
    return {"got": dict(arguments)}


async def refuse(_arguments: Mapping[str, object]) -> Mapping[str, object]:
    raise ControlError("not on a Sunday; come back on Monday")


async def fail(_arguments: Mapping[str, object]) -> Mapping[str, object]:
    raise RuntimeError("the secret is hunter2")


async def count(_arguments: Mapping[str, object], report: Report) -> Mapping[str, object]:
    for step in (1, 2, 3):
        report({"step": step})
        await asyncio.sleep(0)
    return {"steps": 3}


HANDLERS: dict[str, Handler] = {"echo": echo, "refuse": refuse, "fail": fail, "count": ReportingHandler(count)}


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


async def test_a_command_gets_the_answer_of_its_handler(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "echo", {"a": [1, "b"]}) == {"got": {"a": [1, "b"]}}


async def test_texts_of_every_kind_arrive_unchanged(tmp_path: Path) -> None:
    texts = ["a\nb\u2028c", "분류 모델", "\U0001f600", "not UTF-8: \udcff", "\ud800", "\0\x7f"]
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "echo", {"texts": texts}) == {"got": {"texts": texts}}


async def test_a_refusal_has_the_text_of_the_handler(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"^not on a Sunday; come back on Monday$"):
            await ask(path, "refuse")


async def test_an_exception_in_a_handler_is_reported_without_its_text(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"^fail failed because of a fault in the daemon; see its log$"):
            await ask(path, "fail")


async def test_an_unknown_command_is_refused_with_the_list_of_commands(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(ControlError, match=r"it has count, echo, fail, refuse$"):
            await ask(path, "dance")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"hello\n", "must be one JSON object"),
        (b"[1]\n", "must be one JSON object"),
        (b"[" * 50_000 + b"\n", "must be one JSON object"),
        (b'{"command": 1}\n', "a request is a line such as"),
        (b'{"command": "echo", "arguments": []}\n', "a request is a line such as"),
        (b'{"command": "echo"}', "ended before the end of the line"),
        (b"", "ended before the end of the line"),
        (b'{"command": "' + b"x" * MAX_REQUEST_BYTES + b'"}\n', "the request is longer than"),
    ],
)
async def test_an_invalid_request_is_refused_and_the_next_is_served(tmp_path: Path, sent: bytes, error: str) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert error in str((await asyncio.to_thread(raw, path, sent))["error"])
        assert await ask(path, "echo") == {"got": {}}


async def test_a_client_that_sends_nothing_does_not_block_another(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.connect(str(path))
            assert await ask(path, "echo") == {"got": {}}


def test_a_missing_socket_means_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(NoDaemonError, match="is it running"):
        request(tmp_path / "none.sock", "ping", {})


def test_the_socket_of_a_dead_daemon_means_no_daemon(tmp_path: Path) -> None:
    leave_behind(tmp_path / "dead.sock")
    with pytest.raises(NoDaemonError, match="is it running"):
        request(tmp_path / "dead.sock", "ping", {})


def leave_behind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
        dead.listen()


async def test_the_socket_of_a_dead_daemon_is_replaced_and_removed_at_the_end(tmp_path: Path) -> None:
    leave_behind(tmp_path / "control.sock")
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "echo") == {"got": {}}
    assert not path.exists()


async def test_the_socket_of_a_running_daemon_is_not_replaced(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        with pytest.raises(OSError, match="in use"):
            await ControlServer(path, {}).__aenter__()
        assert await ask(path, "echo") == {"got": {}}


async def test_a_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("mine")
    with pytest.raises(OSError, match="in use"):
        await ControlServer(tmp_path / "control.sock", {}).__aenter__()
    assert (tmp_path / "control.sock").read_text() == "mine"


async def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_path_that_is_too_long_for_a_socket_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    assert len(str(folder)) > MAX_PATH_BYTES
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


async def test_a_removed_socket_and_link_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CHECK_SECONDS", 0.01)
    path, link = tmp_path / "run" / "control.sock", tmp_path / "watcher.db.sock"
    path.parent.mkdir()
    async with ControlServer(path, HANDLERS, link=link) as serving:
        keeper = asyncio.create_task(serving.keep())
        for removed in ((path,), (link,), (path, link)):
            for item in removed:
                item.unlink()
            await eventually(lambda: path.is_socket() and link.is_symlink())
            assert await ask(link, "echo") == {"got": {}}
        # Somebody put another file in the place of the link.
        link.unlink()
        link.write_text("mine")
        await eventually(link.is_symlink)
        keeper.cancel()
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_made_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CHECK_SECONDS", 0.01)
    path = tmp_path / "run" / "control.sock"
    path.parent.mkdir()
    async with ControlServer(path, HANDLERS) as serving:
        keeper = asyncio.create_task(serving.keep())
        shutil.rmtree(path.parent)
        with structlog.testing.capture_logs() as lines:
            await asyncio.sleep(0.1)
            assert [line["event"] for line in lines] == ["control.unavailable"]
        path.parent.mkdir()
        await eventually(path.is_socket)
        assert await ask(path, "echo") == {"got": {}}
        keeper.cancel()


async def test_a_request_in_progress_survives_that_its_socket_is_made_again(tmp_path: Path) -> None:
    asked, let = asyncio.Event(), asyncio.Event()

    async def slow(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        asked.set()
        await let.wait()
        return {"done": True}

    path = tmp_path / "control.sock"
    async with ControlServer(path, {"slow": slow}) as serving:
        answer = asyncio.create_task(ask(path, "slow"))
        await asked.wait()
        path.unlink()
        await serving.ensure()
        let.set()
        assert await answer == {"done": True}


@pytest.mark.parametrize(("command", "steps"), [("count", [1, 2, 3]), ("echo", [])])
async def test_progress_comes_before_the_answer(tmp_path: Path, command: str, steps: list[int]) -> None:
    got: list[object] = []

    def note(progress: Mapping[str, object]) -> None:
        got.append(progress["step"])

    async with served(tmp_path / "control.sock") as path:
        await asyncio.to_thread(request, path, command, {}, timeout_seconds=10.0, on_progress=note)
    assert got == steps


async def test_a_command_that_asks_for_no_progress_gets_one_line(tmp_path: Path) -> None:
    async with served(tmp_path / "control.sock") as path:
        assert await ask(path, "count") == {"steps": 3}
        assert await asyncio.to_thread(raw, path, b'{"command": "count"}\n') == {"answer": {"steps": 3}}


async def test_a_handler_that_reports_ends_with_its_command(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def endless(_arguments: Mapping[str, object], report: Report) -> Mapping[str, object]:
        try:
            report({"step": 1})
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    def stop(_progress: Mapping[str, object]) -> None:
        following.cancel()

    async with ControlServer(tmp_path / "sock", {"endless": ReportingHandler(endless)}):
        following = asyncio.create_task(follow(tmp_path / "sock", "endless", {}, stop))
        with pytest.raises(asyncio.CancelledError):
            await following
        async with asyncio.timeout(10):
            await ended.wait()


async def test_a_command_that_follows_learns_of_the_answer_a_refusal_and_the_end_of_the_daemon(tmp_path: Path) -> None:
    steps: list[object] = []
    async with served(tmp_path / "sock") as path:
        assert await follow(path, "count", {}, lambda progress: steps.append(progress["step"])) == {"steps": 3}
        with pytest.raises(ControlError, match="come back on Monday"):
            await follow(path, "refuse", {}, steps.append)
    with pytest.raises(NoDaemonError):
        await follow(path, "count", {}, steps.append)
    assert steps == [1, 2, 3]


async def test_a_command_that_follows_loses_a_daemon_that_is_killed(tmp_path: Path) -> None:
    async def die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(die, tmp_path / "sock"):
        with pytest.raises(ConnectionLostError):
            await follow(tmp_path / "sock", "count", {}, lambda _progress: None)
