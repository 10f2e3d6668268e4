"""Catch-ups: the polls that follow an incident, a start or a reload, and whose late changes form one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from watcher.core.incidents.model import Incident
from watcher.core.timestamps import to_text
from watcher.core.training.catch_up import CatchUp, Outage


class CatchUps:
    """The open catch-ups, and the catch-up that each target belongs to.

    Targets are named by the key of their poll.

    Args:
        on_complete: gets the id of a catch-up when each of its targets was polled. ``None`` means every open one:
            the start ends the catch-ups that an earlier process left open, too.
    """

    def __init__(self, on_complete: Callable[[str | None], None]) -> None:
        self._on_complete = on_complete
        self._start_id: str | None = None
        self._catch_ups: dict[str, CatchUp] = {}
        """The catch-up of each target."""
        self._waiting: dict[str, set[str]] = {}
        """The targets that have still to be polled, by catch-up; one begins with its first good poll."""
        self._incidents: set[str] = set()
        """The incidents that have hidden a target."""

    def begin_start(self, started_at: datetime) -> None:
        """Open the catch-up of a start; ``join_start`` adds targets to it."""
        self._start_id = f"start {to_text(started_at)}"

    def of(self, key: str) -> CatchUp | None:
        """Return the catch-up of a target, if it belongs to one."""
        return self._catch_ups.get(key)

    def join_incident(self, key: str, incident: Incident) -> None:
        """Add a target to the catch-up of an incident."""
        self._join(key, CatchUp(incident.id, Outage(incident.subject, incident.since)))

    def join_start(self, key: str) -> None:
        """Add a target to the catch-up of the start."""
        if self._start_id is not None:
            self._join(key, CatchUp(self._start_id))

    def join_reload(self, key: str, now: datetime) -> None:
        """Add a target to the catch-up of this reload."""
        self._join(key, CatchUp(f"reload {to_text(now)}"))

    def hide(self, key: str, incident: Incident) -> bool:
        """Add a failed target to the catch-up of its incident; return whether it is the first one."""
        self.join_incident(key, incident)
        is_first = incident.id not in self._incidents
        self._incidents.add(incident.id)
        return is_first

    def _join(self, key: str, catch_up: CatchUp) -> None:
        """Add a target to a catch-up: the messages about its late changes form one group with the others.

        The catch-up that it belonged to no longer waits for it.
        """
        earlier = self._catch_ups.get(key)
        self._catch_ups[key] = catch_up
        if earlier is not None and earlier.id in self._waiting and earlier.id != catch_up.id:
            self._remove(key, [earlier.id])

    def note_good_poll(self, key: str, *, finished: bool) -> frozenset[str]:
        """Note a good poll of a target; return the targets to poll now, if this begins their catch-up.

        Args:
            key: the target's.
            finished: whether all its late changes are recorded, so that it leaves its catch-up.
        """
        catch_up = self._catch_ups.get(key)
        if catch_up is None:
            return frozenset()
        others = frozenset[str]()
        if catch_up.id not in self._waiting:
            hidden = {other for other, its_own in self._catch_ups.items() if its_own.id == catch_up.id}
            others = frozenset(hidden - {key})
            self._waiting[catch_up.id] = hidden
        if finished:
            del self._catch_ups[key]
            self._remove(key, [catch_up.id])
        return others

    def drop(self, key: str) -> None:
        """Remove a target that is polled no more from its catch-up."""
        self._catch_ups.pop(key, None)
        self._remove(key, list(self._waiting))

    def _remove(self, key: str, catch_up_ids: Iterable[str]) -> None:
        for catch_up_id in catch_up_ids:
            waiting = self._waiting[catch_up_id]
            waiting.discard(key)
            if not waiting:
                del self._waiting[catch_up_id]
                self._complete(catch_up_id)

    def _complete(self, catch_up_id: str) -> None:
        self._incidents.discard(catch_up_id)
        self._on_complete(None if catch_up_id == self._start_id else catch_up_id)
