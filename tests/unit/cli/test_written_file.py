"""A file that a command writes is complete or not there, and a pipe is written to directly."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from watcher.cli.written_file import written_file
from watcher.operations.errors import OperationRefusedError


def write_half(path: Path, error: type[BaseException] | OSError) -> None:
    with written_file(path) as stream:
        stream.write("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("before", ["", "old"])
def test_a_file_that_is_not_complete_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException] | OSError, before: str
) -> None:
    path = tmp_path / "runs.csv"
    if before:
        path.write_text(before)
    with pytest.raises((ValueError, KeyboardInterrupt, OperationRefusedError)):
        write_half(path, error)
    assert [item.name for item in tmp_path.iterdir()] == (["runs.csv"] if before else [])
    assert not before or path.read_text() == before


def test_a_complete_file_has_every_character(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    with written_file(path) as stream:
        stream.write("가\r\n\ud800\n")
    assert path.read_bytes() == "가\r\n?\n".encode()


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()))
    reader.start()
    with written_file(path) as stream:
        stream.write("text")
    reader.join()
    assert found == ["text"]
    assert path.is_fifo()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no/such/folder.csv", "there is no folder .*such; make it first"),
        (".", "is a folder; name a file in it"),
        ("", "is a folder; name a file in it"),
        ("/", "/ is a folder; name a file in it"),
        ("file/x.csv", "Not a directory; check the name, its folder and the space there"),
        ("n" * 300, "File name too long; check the name"),
        ("n" * 253, "File name too long; check the name"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_with_a_remedy(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperationRefusedError, match=text), written_file(tmp_path / name):
        pass
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_link_stays_one_and_its_file_keeps_its_rights(tmp_path: Path) -> None:
    file, link = tmp_path / "runs.csv", tmp_path / "latest.csv"
    file.touch(mode=0o600)
    link.symlink_to(file)
    with written_file(link) as stream:
        stream.write("new")
    assert (link.is_symlink(), file.read_text(), file.stat().st_mode & 0o777) == (True, "new", 0o600)


def test_the_name_of_an_open_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, written_file(Path(f"/proc/self/fd/{file.fileno()}")) as stream:
        stream.write("text")
    assert (tmp_path / "file").read_text() == "text"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
