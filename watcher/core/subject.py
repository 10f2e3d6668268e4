"""Read the account out of a subject, the key under which the store keeps one thing."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

NO_ACCOUNT: Final = ""
"""Stands for a subject outside every account: a receiver, or the watcher's own store."""

_ACCOUNT_FIRST: Final = frozenset(
    {"account", "clock", "service", "training", "watch", "presence", "retraining", "updates"}
)


def account_of(subject: str) -> str:
    """Return the account of a subject, e.g. ``main`` for ``training:main/6wxgu1abcde/pop/maqll0abcde``.

    The key of a joined poll has a word before its subject, e.g. ``joined service:main/6wxgu1abcde``.
    """
    kind, _, path = subject.rpartition(" ")[2].partition(":")
    return unquote(path.partition("/")[0]) if kind in _ACCOUNT_FIRST else NO_ACCOUNT
