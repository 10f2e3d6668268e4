"""API keys for tests."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.aitems.signing import KeyPair


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys that never change; stands in for the secrets of a configuration."""

    pair: KeyPair

    def current(self) -> KeyPair:
        """Return the pair."""
        return self.pair
