"""Work in threads that the program does not wait for at its end."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from watcher.store.sqlite.daemon_thread import DaemonThreadExecutor

NEVER_ENDING = """
import asyncio, threading
from watcher.store.sqlite.daemon_thread import DaemonThreadExecutor
async def main():
    asyncio.get_running_loop().run_in_executor(DaemonThreadExecutor(), threading.Event().wait)
    await asyncio.sleep(0.1)
asyncio.run(main())
"""


async def test_work_in_a_daemon_thread_returns_its_result_or_raises_its_error() -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(DaemonThreadExecutor(), int, "7") == 7
    with pytest.raises(ValueError, match="seven"):
        await loop.run_in_executor(DaemonThreadExecutor(), int, "seven")


def test_a_program_ends_although_a_daemon_thread_never_does() -> None:
    # The timeout only ends a test that would hang.
    assert subprocess.run([sys.executable, "-c", NEVER_ENDING], check=False, timeout=60).returncode == 0  # noqa: S603 - ours
