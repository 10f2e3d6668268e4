"""Which configuration a command works with, said on standard error."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.cli.output import say

if TYPE_CHECKING:
    from watcher.config import Config, Found


def find_config(option: Path | None) -> Found:
    """Return the file that is taken, and why.

    Raises:
        ConfigNotFoundError: there is none.
    """
    from watcher.config import find

    return find(option, os.environ, Path.cwd())


def load_config(option: Path | None, needed: Collection[str] | None = None) -> Config:
    """Read the configuration after saying which file is taken; ``needed`` as in ``config.load``.

    Raises:
        ConfigError: there is none, or it is faulty.
    """
    from watcher.config import load

    found = find_config(option)
    say(f"configuration: {found.path} ({found.why})")
    return load(found.path) if needed is None else load(found.path, needed=needed)
