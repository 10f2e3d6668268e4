"""Counting in words, for the commands."""

from watcher.core.words import counted

__all__ = ["counted"]
