"""The log receiver: one JSON line for each message, with the body of a webhook."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome
from watcher.core.event import Event
from watcher.line_writer import LineWriter
from watcher.receivers.payload import sealed
from watcher.receivers.responses import NOT_RENDERED
from watcher.receivers.spec import Spec
from watcher.receivers.stream import write

KIND: Final = "log"


class LogReceiver:
    """Writes lines to a stream; the event's id in a line marks a repeat."""

    kind = KIND
    pace_key = KIND
    pace_seconds = 0.0
    batch_max = 1
    dedup = Dedup.BY_ID

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._writer = spec.writer or LineWriter(sys.stdout)

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        """Return the line without its line end."""
        return sealed([(event, receiver_seq)])

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
        """Return the body of a delivery of several events."""
        return sealed(entries, also)

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Write the line."""
        if request.body is None:
            return NOT_RENDERED
        return await write(self._writer, request.body.decode() + "\n")
