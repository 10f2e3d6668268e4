"""What was hidden is told together: which targets have still to be looked at after an incident, a start, a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class CatchUps:
    """By occasion, the targets that are still to be looked at; ``on_whole`` hears when there are none left."""

    def __init__(self, on_whole: Callable[[str], None]) -> None:
        self._on_whole = on_whole
        self._waiting: dict[str, set[str]] = {}

    def begin(self, catch_up_id: str, keys: Iterable[str]) -> bool:
        """Wait for these; return whether that is news."""
        if catch_up_id in self._waiting:
            return False
        self._waiting[catch_up_id] = set(keys)
        return True

    def tick_off(self, catch_up_id: str, key: str) -> None:
        """Note that a target was looked at since, or will not be any more."""
        waiting = self._waiting[catch_up_id]
        waiting.discard(key)
        if not waiting:
            del self._waiting[catch_up_id]
            self._on_whole(catch_up_id)

    def drop(self, key: str) -> None:
        """Wait for a target no longer, on whatever occasion."""
        for catch_up_id in list(self._waiting):
            self.tick_off(catch_up_id, key)
