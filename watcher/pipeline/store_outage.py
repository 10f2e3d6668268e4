"""What is done when the store cannot be written: looking stops before the last byte, and it is told from memory.

What is told so is told once to each receiver, and kept in the log. When the store can be written again, the event and
its end are recorded, and the end is told as any other event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from watcher.core.batch import Batch, Posting, Trouble
from watcher.core.delivery.model import Delivered, Outcome, Parcel, Refused, Uncertain
from watcher.core.event import Event, delivery_id
from watcher.core.incidents.store_event import ADVICE, STORE_SUBJECT, store_mended, store_trouble
from watcher.core.routing.routes import Plan, Routes, plan
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.polling.cache import Memory
from watcher.pipeline.ports import Clock, Looking, Observer, Receiver, Room

log = structlog.get_logger()

CHECK_SECONDS: Final = 1.0
ATTEMPTS: Final = 5
FIRST_WAIT_SECONDS: Final = 2.0
STOP_SECONDS: Final = 5.0
TOLD_FROM_MEMORY: Final = "told-from-memory"
DISK_FULL: Final = "disk-full"


@dataclass(slots=True)
class Hearing:
    """Who has the present trouble from memory."""

    surely: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    """Receivers of which an attempt had no answer, or has none yet."""


class Herald:
    """Tells an event from memory: each receiver that its route names, a few attempts, nothing written."""

    def __init__(self, receivers: Mapping[str, Receiver], routes: Routes) -> None:
        self._receivers = receivers
        self._routes = routes

    async def tell(self, event: Event, hearing: Hearing) -> None:
        """Tell everybody; ``hearing`` gets the name of each that has it, as soon as it has."""
        names = plan(event, self._routes.routes).receivers
        await asyncio.gather(*(self._tell(self._receivers[name], event, hearing) for name in names))

    def rest(self, event: Event, hearing: Hearing) -> Plan:
        """Return whom the route names and nobody could surely tell from memory."""
        whole = plan(event, self._routes.routes)
        to = tuple(
            replace(addressee, in_doubt=addressee.receiver in hearing.perhaps)
            for addressee in whole.to
            if addressee.receiver not in hearing.surely
        )
        return Plan(to=to, reason=f"{whole.reason}; {TOLD_FROM_MEMORY}" if to else TOLD_FROM_MEMORY)

    def seal(self, receiver: str, event: Event, receiver_seq: int) -> bytes | None:
        """Return what is kept of the event for a receiver that is told from the store after all."""
        return self._receivers[receiver].seal(event, receiver_seq)

    async def _tell(self, receiver: Receiver, event: Event, hearing: Hearing) -> None:
        may_be_repeat = False
        for attempt in range(1, ATTEMPTS + 1):
            hearing.perhaps.add(receiver.name)
            outcome = await self._attempt(receiver, event, attempt, may_be_repeat=may_be_repeat)
            may_be_repeat = may_be_repeat or isinstance(outcome, Uncertain)
            if isinstance(outcome, Delivered):
                hearing.surely.add(receiver.name)
                return
            if not may_be_repeat:
                hearing.perhaps.discard(receiver.name)
            await asyncio.sleep(FIRST_WAIT_SECONDS * 2 ** (attempt - 1))

    async def _attempt(self, receiver: Receiver, event: Event, attempt: int, *, may_be_repeat: bool) -> Outcome:
        keys = {"receiver": receiver.name, "event_id": event.id, "attempt": attempt}
        try:
            parcel = Parcel(
                delivery_id=delivery_id((event.id,), receiver.name),
                events=(event,),
                body=receiver.seal(event, 1),
                attempt=attempt,
                may_be_repeat=may_be_repeat,
            )
            outcome = await receiver.send(parcel)
        except Exception:
            log.exception("store.trouble_not_told", **keys)
            return Uncertain(reason="internal-fault")
        if isinstance(outcome, Delivered):
            log.info("store.trouble_told", **keys)
        else:
            refused = isinstance(outcome, Refused)
            log.warning("store.trouble_not_told", reason=outcome.reason, refused=refused, **keys)
        return outcome


class Storekeeper:
    """Asks once a second whether the store can be written."""

    def __init__(  # noqa: PLR0913 - wired once
        self,
        room: Room,
        memory: Memory,
        looking: Looking,
        clock: Clock,
        *,
        herald: Herald,
        on_events: Callable[[], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._room = room
        self._memory = memory
        self._looking = looking
        self._clock = clock
        self._herald = herald
        self._on_events = on_events
        self._observer = observer
        self._cause: str | None = None
        self._trouble: Event | None = None
        self._telling: asyncio.Task[None] | None = None
        self._hearing = Hearing()

    @property
    def cause(self) -> str | None:
        """What keeps the store from being written, if anything."""
        return self._cause

    def take_over(self, herald: Herald) -> None:
        """Tell others from here on: the configuration was read anew."""
        self._herald = herald

    async def run(self) -> None:
        """Keep watch for ever."""
        try:
            while True:
                try:
                    await self.once()
                except Exception:
                    log.exception("store.watch_failed")
                self._observer.turned("storekeeping", CHECK_SECONDS)
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            if self._telling is not None:
                self._telling.cancel()

    async def once(self) -> None:
        """Notice trouble, or its end."""
        if self._trouble is None:
            cause = await self._room.fault(self._clock.monotonic())
            if cause is not None:
                await self._begin(cause)
        elif await self._room.mended(self._clock.utc_now()):
            await self._end(self._trouble)

    async def _begin(self, cause: str) -> None:
        self._cause = cause
        free = await self._room.free_bytes()
        if cause == DISK_FULL:
            self._looking.pause()
        log.error("store.trouble", cause=cause, free_bytes=free, looking=cause != DISK_FULL, remedy=ADVICE[cause])
        detail = f"{free:,} bytes are free beside the store"
        seq = self._memory.trouble(STORE_SUBJECT).seq + 1
        self._trouble = store_trouble(cause, detail, self._memory.epoch, seq, self._clock.utc_now())
        self._hearing = Hearing()
        self._telling = asyncio.create_task(self._herald.tell(self._trouble, self._hearing))

    async def _end(self, trouble: Event) -> None:
        await self._stop_telling()
        mended = store_mended(trouble, self._memory.epoch, self._clock.utc_now())
        row = Trouble(subject=STORE_SUBJECT, seq=mended.seq, incident=None)
        # At once: the routes must not see what is told already, and what fails must leave nothing behind.
        posting = self._posting(trouble, mended)
        await self._memory.commit(Batch(events=(trouble, mended), troubles=(row,), posting=posting))
        self._trouble = self._cause = None
        self._looking.resume()
        self._on_events()
        log.warning("store.mended", lasted_seconds=(mended.incident or {}).get("lasted_seconds"))

    def _posting(self, trouble: Event, mended: Event) -> Posting | None:
        """Return that those who have it are not told again; whom the telling did not reach is told from the store."""
        if not (self._hearing.surely or self._hearing.perhaps):
            return None
        rest = self._herald.rest(trouble, self._hearing)
        return Posting(event_id=trouble.id, plan=rest, seal=self._herald.seal, at=mended.recorded_at)

    async def _stop_telling(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            # An attempt under way should end: whoever it reaches must not be told a second time.
            await asyncio.wait([telling], timeout=STOP_SECONDS)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
