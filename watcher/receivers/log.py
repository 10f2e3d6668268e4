"""One JSON line an event, for whatever reads the daemon's output: the same body that a webhook gets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome, RefusalScope, Refused
from watcher.core.event import Event
from watcher.receivers.payload import sealed
from watcher.receivers.spec import Spec
from watcher.receivers.stream import write

KIND: Final = "log"


class LogReceiver:
    """Writes to a stream; the event's id in the line marks a repeat."""

    kind = KIND
    pace_key = KIND
    pace_seconds = 0.0
    dedup = Dedup.BY_ID

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._stream = spec.stream or sys.stdout

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        """Return the line without its end."""
        return sealed([(event, receiver_seq)])

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
        """Return the body of a delivery of several events."""
        return sealed(entries, also)

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Write the line; a stream that blocks would block the daemon's own log just as well."""
        if request.body is None:
            return Refused(reason="no body could be made; see event.seal_failed in the log", scope=RefusalScope.MESSAGE)
        return write(self._stream, request.body.decode() + "\n")
