"""Files that commands write: each appears under its name once it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def written_file(path: Path) -> Iterator[TextIO]:
    """Open a file for writing, in UTF-8 and under another name until the block has ended well.

    Raises:
        OperationRefusedError: it cannot be written.
    """
    from watcher.operations.errors import OperationRefusedError

    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            yield stream
        unfinished.replace(path)
    except OSError as error:
        raise OperationRefusedError(f"cannot write {path}: {error.strerror}") from error
