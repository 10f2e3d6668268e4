"""These tests run on the loop that the program runs on: how it looks names up is a part of what they show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from watcher.cli.runtime import new_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"program": new_loop}
