"""A command waits longer for the daemon than the daemon for the store: else nobody learns whether it has acted."""

from __future__ import annotations

from watcher.control.client import TIMEOUT_SECONDS
from watcher.store.sqlite.database import PATIENCE_SECONDS, TRY_MILLISECONDS


def test_a_command_waits_for_the_answer_about_a_locked_store() -> None:
    assert TIMEOUT_SECONDS > PATIENCE_SECONDS + 2 * TRY_MILLISECONDS / 1_000
