"""Markers by folder: the folder of a test shows its cost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest


def mark_below(folder: Path, items: Iterable[pytest.Item], marker: pytest.MarkDecorator) -> None:
    """Add a marker to the tests below a folder; a conftest gets the tests of all folders."""
    for item in items:
        if folder in item.path.parents:
            item.add_marker(marker)
