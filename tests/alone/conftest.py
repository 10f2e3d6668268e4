"""Each test in this folder runs alone, since another one beside it would delay it: ``make test-slow`` runs it last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.folders import mark_below

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(HERE, items, pytest.mark.alone)
