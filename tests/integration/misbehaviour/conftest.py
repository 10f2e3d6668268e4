"""Runs these tests on the event loop of the program, since its name resolution is a part of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from watcher.cli.runtime import new_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"program": new_loop}
