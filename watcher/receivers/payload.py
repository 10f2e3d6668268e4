"""The webhook's body, see docs/webhooks.md: rendered once, with the same bytes at every attempt."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from watcher.core.event import Event
from watcher.core.event_json import run_json
from watcher.core.messages.groups.outage_group import published_outage
from watcher.core.messages.published import published_comparisons, published_incident, published_receiver
from watcher.core.messages.text import cut
from watcher.core.timestamps import to_text
from watcher.core.training.absence import overdue_json
from watcher.core.updates.model import update_json
from watcher.core.usability.facts import unusable_json
from watcher.receivers.fallback_render import render_or_fall_back

TEXT_LIMIT: Final = 2_000
"""Characters of one text in the training's record."""
RECORD_LIMIT: Final = 20_000
"""Bytes of the whole record; Standard Webhooks asks for small payloads."""
DEPTH_LIMIT: Final = 16
DOCUMENTED_FIELDS: Final = ("serviceId", "type", "version", "status", "createdDate", "inference")
"""The short fields of the page "View training"; a record that is too long keeps only these."""
ALSO_MAX: Final = 100
"""Separately sent events that a group names; many failures must not make every body too large."""

REFERENCE_FIELDS: Final = (
    "id",
    "kind",
    "account",
    "service",
    "training_type",
    "version",
    "from",
    "to",
    "after",
    "before",
)
"""The keys that identify an event that was sent separately."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def sealed(entries: Sequence[tuple[Event, int]], also: Sequence[Event] = ()) -> bytes:
    """Return the body of a delivery, also where an event cannot be rendered; arguments as in ``render_group``."""
    numbers = [number for _, number in entries]

    def render(events: Sequence[Event], others: Sequence[Event]) -> bytes:
        return render_group(list(zip(events, numbers, strict=True)), others)

    return render_or_fall_back(render, [event for event, _ in entries], also)


def render_body(event: Event, receiver_seq: int) -> bytes:
    """Return the body of a delivery of one event: compact JSON in plain ASCII.

    A consumer must verify the signature over the bytes that it received. In ASCII, that also works for a consumer that
    decodes the body with another encoding first.
    """
    data = _data(event, receiver_seq, _plain(event.record))
    body = {"type": event.type, "timestamp": to_text(event.recorded_at), "data": data}
    encoded = _encode(body)
    if len(encoded) <= RECORD_LIMIT:
        return encoded
    # Only now, as it encodes the record once more.
    data["training"] = _record(event.record)
    return _encode(body)


def render_group(entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
    """Return the body of a delivery of several events; of one event, the body of a single event.

    Args:
        entries: each event with its ``receiver_seq``.
        also: events of the same catch-up that were sent separately; the first ``ALSO_MAX`` are named.
    """
    if len(entries) == 1:
        return render_body(*entries[0])
    latest = max(event.recorded_at for event, _ in entries)
    data = {
        "group": _plain(entries[0][0].group),
        "outage": _plain(published_outage([event for event, _ in entries])),
        "events": [_data(event, number, _record(event.record)) for event, number in entries],
        "also": [_reference(event) for event in also[:ALSO_MAX]],
    }
    return _encode({"type": "group", "timestamp": to_text(latest), "data": data})


def _reference(event: Event) -> dict[str, object]:
    # The record of a training may be large, and a reference has none of it.
    data = _data(event, 0, None)
    return {name: data[name] for name in REFERENCE_FIELDS}


def _data(event: Event, receiver_seq: int, record: object) -> dict[str, object]:
    return {
        "id": event.id,
        "kind": event.kind.value,
        "seq": event.seq,
        "account": _plain(event.account),
        "service": _plain(event.service),
        "service_name": _plain(event.service_name),
        "labels": _plain(event.labels),
        "links": _plain(event.links),
        "training_type": _plain(event.training_type),
        "version": _plain(event.version),
        "from": _plain(event.from_status),
        "to": _plain(event.to_status),
        "skipped": _plain(event.skipped),
        "stages_certain": False,
        "late": event.late,
        "restored": event.restored,
        "restored_from": None if event.restored_from is None else to_text(event.restored_from),
        "new": event.new,
        "confirmed": event.confirmed,
        "receiver_seq": receiver_seq,
        "after": to_text(event.after),
        "before": to_text(event.before),
        "run": None if event.run is None else run_json(event.run),
        **{name: _plain(facts) for name, facts in published_comparisons(event).items()},
        "reason": event.reason,
        "incident": None if event.incident is None else _plain(published_incident(event.incident)),
        "receiver": None if event.receiver is None else _plain(published_receiver(event.receiver)),
        **({} if event.overdue is None else {"overdue": _plain(overdue_json(event.overdue))}),
        **({} if event.update is None else {"update": _plain(update_json(event.update))}),
        **({} if event.unusable is None else {"unusable": unusable_json(event.unusable)}),
        "fallback_for": _plain(event.fallback_for),
        "training": record,
    }


_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _encode(value: object) -> bytes:
    return _ENCODER.encode(value).encode("ascii")


def _record(record: Mapping[str, object]) -> object:
    complete = _plain(record)
    if len(_encode(complete)) <= RECORD_LIMIT:
        return complete
    short = {name: record[name] for name in DOCUMENTED_FIELDS if isinstance(record.get(name), str | int | bool)}
    return _plain(short)


def _plain(value: object, depth: int = 0) -> object:
    """Return ``value`` as JSON that every parser accepts: no lone surrogates, no NaN, limited nesting."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int | float):
        return value
    if depth >= DEPTH_LIMIT:
        return "… (cut, nested too deeply)"
    return _plain_container(value, depth + 1)


def _plain_text(text: str) -> str:
    if text.isascii() and len(text) <= TEXT_LIMIT:
        return text
    return cut(_LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text), TEXT_LIMIT)


def _plain_container(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        return {str(_plain(str(key))): _plain(item, depth) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item, depth) for item in value]
    return type(value).__name__
