"""The page to which a browser returns after signing in: never one of another site, or outside of the base path."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from watcher.web.encoded_paths import without_base_path

_PATH: Final = re.compile(r"[^?#]*")


def local_path(text: str, base_path: str = "") -> str:
    """Return a path of this site, without the base path; any other text becomes the overview.

    Args:
        text: a path with or without the base path, and maybe a query.
        base_path: the path of a reverse proxy below which the site is.
    """
    # A browser ignores a line break or a tab, which may stand between two slashes.
    if not text.isprintable():
        return "/"
    path = _PATH.match(text)[0]  # type: ignore[index]  # it matches every text
    local = without_base_path(path, base_path)
    return f"{local}{text[len(path) :]}" if _is_local(local) else "/"


def _is_local(path: str) -> bool:
    # A browser takes a backslash for a slash, and resolves encoded dots.
    if not path.startswith("/") or path.startswith("//") or "\\" in path:
        return False
    return all(unquote(part) not in {".", ".."} for part in path.split("/"))
