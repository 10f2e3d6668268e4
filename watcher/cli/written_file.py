"""Files that commands write: each appears under its name once it is complete."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TextIO

STREAMS: Final = ("/dev/std", "/dev/fd/", "/proc/")
"""Names of open files: the file behind one may be a regular one, but the name must not be replaced."""


@contextmanager
def written_file(path: Path) -> Iterator[TextIO]:
    """Open a file of text for writing, in UTF-8 and under another name until the block has ended well.

    A pipe or a device, such as ``/dev/stdout``, is written to directly. A link stays one: the file that it names is
    written, with the rights that it has.

    Raises:
        OperationRefusedError: it cannot be written.
    """
    with _opened(path, "w", encoding="utf-8", errors="replace", newline="") as stream:
        yield stream


@contextmanager
def written_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file in the same way.

    Raises:
        OperationRefusedError: it cannot be written.
    """
    with _opened(path, "wb") as stream:
        yield stream


@contextmanager
def _opened(path: Path, mode: str, **encoding: str) -> Iterator[Any]:
    from watcher.operations.errors import OperationRefusedError

    unfinished: Path | None = None
    try:
        _require_place(path)
        if _is_special(path):
            with path.open(mode, **encoding) as stream:  # type: ignore[call-overload]  # the options of a file of text
                yield stream
            return
        target = Path(os.path.realpath(path))
        unfinished = target.with_name(f"{target.name}.part")
        with unfinished.open(mode, **encoding) as stream:  # type: ignore[call-overload]  # as above
            _keep_rights(target, unfinished)
            yield stream
        unfinished.replace(target)
    except OSError as error:
        _remove(unfinished)
        if isinstance(error, BrokenPipeError):
            raise
        raise OperationRefusedError(f"cannot write {path}: {_reason(error)}") from error
    except BaseException:
        _remove(unfinished)
        raise


def _require_place(path: Path) -> None:
    """Refuse a folder, and a place in one that does not exist.

    Raises:
        OperationRefusedError: there is no place for a file.
    """
    from watcher.operations.errors import OperationRefusedError

    if path.is_dir():
        raise OperationRefusedError(f"{path} is a folder; name a file in it")
    if not path.parent.exists():
        raise OperationRefusedError(f"cannot write {path}: there is no folder {path.parent}; make it first")


def _is_special(path: Path) -> bool:
    return str(path.absolute()).startswith(STREAMS) or (path.exists() and not path.is_file())


def _keep_rights(target: Path, unfinished: Path) -> None:
    # A file that others may not read must not become one that they may.
    with suppress(FileNotFoundError):
        unfinished.chmod(stat.S_IMODE(target.stat().st_mode))


def _reason(error: OSError) -> str:
    return f"{error.strerror}; check the name, its folder and the space there"


def _remove(unfinished: Path | None) -> None:
    if unfinished is not None:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
