"""Fixtures: one simulated AiTEMS with a service for each test, and one demo."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli_support import Simulated, Workplace, collecting, simulated, started


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
def workplace(simulator: Simulated, tmp_path: Path) -> Workplace:
    """Yield a folder with a configuration and a service with one training in progress."""
    place = Workplace(tmp_path, uuid.uuid4().hex[:11], simulator)
    place.set_training("v1", "learning")
    place.write()
    return place


@pytest.fixture(scope="session")
def running_demo() -> Iterator[tuple[subprocess.Popen[str], list[Any]]]:
    """Yield a running demo and its posts to Slack; it takes half a minute, so it starts before it is needed."""
    with collecting() as (url, posted):
        # The first alert of a default kind comes after 24 s.
        args = ("demo", "--for", "28s", "--to-slack", url, "--to-webhook", "http://127.0.0.1:1/hook")
        with started(*args) as process:
            yield process, posted
