"""One simulated AiTEMS for all tests of the command line, a service of its own for each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_support import Simulated, Workplace, simulated


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
def workplace(simulator: Simulated, tmp_path: Path) -> Workplace:
    """Give a folder with a configuration and a service with one training in progress."""
    place = Workplace(tmp_path, uuid.uuid4().hex[:11], simulator)
    place.set_training("v1", "learning")
    place.write()
    return place
