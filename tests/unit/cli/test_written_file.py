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


@pytest.mark.parametrize("name", ["no/such/folder.csv", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperationRefusedError, match="cannot write "), written_file(tmp_path / name):
        pass
