"""The author of an operation, as its request names it."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.core.action import AUTHOR_MAX
from watcher.operations.errors import OperationRefusedError


def author_in(arguments: Mapping[str, object]) -> str:
    """Return the author that ``by`` names; empty where an older command names none.

    Raises:
        OperationRefusedError: the name is too long.
    """
    name = str(arguments.get("by") or "").strip()
    if len(name) > AUTHOR_MAX:
        raise OperationRefusedError(f"the name has {len(name)} characters; write at most {AUTHOR_MAX}")
    return name
