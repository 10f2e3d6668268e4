"""Files that commands write: each appears under its name once it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO


@contextmanager
def written_file(path: Path) -> Iterator[TextIO]:
    """Open a file of text for writing, in UTF-8 and under another name until the block has ended well.

    A pipe or a device, such as ``/dev/stdout``, is written to directly.

    Raises:
        OperationRefusedError: it cannot be written.
    """
    with _target(path) as target, target.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        yield stream


@contextmanager
def written_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file in the same way.

    Raises:
        OperationRefusedError: it cannot be written.
    """
    with _target(path) as target, target.open("wb") as stream:
        yield stream


@contextmanager
def _target(path: Path) -> Iterator[Path]:
    """Yield the file to write, and give it its name in the end."""
    from watcher.operations.errors import OperationRefusedError

    is_special = path.exists() and not path.is_file() and not path.is_dir()
    target = path if is_special else path.with_name(f"{path.name}.part")
    try:
        yield target
        if not is_special:
            target.replace(path)
    except OSError as error:
        _remove_unfinished(target, is_special=is_special)
        if isinstance(error, BrokenPipeError):
            raise
        raise OperationRefusedError(f"cannot write {path}: {error.strerror}") from error
    except BaseException:
        _remove_unfinished(target, is_special=is_special)
        raise


def _remove_unfinished(target: Path, *, is_special: bool) -> None:
    if not is_special and target.is_file():
        target.unlink()
