"""Each test in this folder is slow: ``make test-slow`` runs it, on both cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.folders import mark_below

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(HERE, items, pytest.mark.slow)
