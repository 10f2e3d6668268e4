"""Faults in valid HTTP: the answer is complete, but it is an error or nonsense."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from watcher.simulator import gateway
from watcher.simulator.calls import SimulatedAnswer, gateway_answer
from watcher.simulator.faults.exchange import Exchange
from watcher.simulator.responses import http_date, to_json

Act = Callable[[Exchange], Awaitable[None]]
"""The form of every fault: a function that answers the exchange wrongly."""

Record = dict[str, object]
"""A training or an update as JSON."""

_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_STALE_SECONDS: Final = 30.0
_CLOCK_OFF_SECONDS: Final = 600.0
_DEPTH: Final = 100_000
_VERSIONS: Final = frozenset({"version", "updateVersion"})
"""The fields of which a training or an update has one, and a service none."""
_SECOND_STATUS: Final = "status again"
_URL_MARKS: Final = "%:/?#[]@!$&'()*+,;=~"


def gateway_error(error: gateway.GatewayError, details: str | None = None) -> Act:
    """Return a fault that answers with a gateway error, and with the fault's Retry-After if set."""

    async def act(exchange: Exchange) -> None:
        await exchange.reply_json(gateway_answer(error, details), exchange.retry_after())

    return act


def body(http_status: int, content: bytes, content_type: str = "application/json") -> Act:
    """Return a fault that answers with exactly these bytes."""

    async def act(exchange: Exchange) -> None:
        await exchange.reply(http_status, content, content_type)

    return act


garbage: Final = body(200, b"\x00\xff\xfe{not json\x80")
html: Final = body(502, _HTML, "text/html")
html_ok: Final = body(200, _HTML, "text/html")
envelope_ok: Final = body(200, to_json(gateway.envelope(gateway.ENDPOINT_ERROR)))
empty: Final = body(200, b"")
empty_error: Final = body(500, b"")
html_not_found: Final = body(404, _HTML.replace(b"502 Bad Gateway", b"404 Not Found"), "text/html")
empty_not_found: Final = body(404, b"")
array: Final = body(200, b"[]")
null: Final = body(200, b"null")
xml: Final = body(401, b"<responseError><returnCode>200</returnCode></responseError>", "application/xml")
forbidden: Final = body(403, to_json({"responseError": {"returnCode": "1103", "returnMessage": "Forbidden."}}))


async def not_found(exchange: Exchange) -> None:
    """Answer as AiTEMS does for an unknown service or training."""
    document = {"timestamp": exchange.server_now.isoformat(timespec="milliseconds"), "status": 404}
    await exchange.reply_json(SimulatedAnswer(404, {**document, "error": "Not Found", "path": ""}))


async def canned(exchange: Exchange) -> None:
    """Answer with the status, text and content type of the fault."""
    fault = exchange.fault
    content_type = fault.content_type or "application/json"
    await exchange.reply(fault.status or 200, (fault.text or "").encode(), content_type)


async def redirect(exchange: Exchange) -> None:
    """Redirect the client to another URL."""
    location = quote(exchange.fault.text or "/elsewhere", safe=_URL_MARKS)
    await exchange.reply(exchange.fault.status or 302, b"", headers={"location": location})


async def created(exchange: Exchange) -> None:
    """Answer honestly, with 201, the one success status in AiTEMS' own table."""
    await exchange.reply_json(replace(exchange.honest(0), http_status=201))


async def clock_off(exchange: Exchange) -> None:
    """Answer honestly, with a wrong Date."""
    seconds = _CLOCK_OFF_SECONDS if exchange.fault.seconds is None else exchange.fault.seconds
    date = http_date(exchange.server_now + timedelta(seconds=seconds))
    await exchange.reply_json(exchange.honest(0), {"date": date})


async def no_date(exchange: Exchange) -> None:
    """Answer honestly, without a Date."""
    await exchange.reply_json(exchange.honest(0), {"date": ""})


async def older_state(exchange: Exchange) -> None:
    """Answer with an older state, as a replica that lags behind."""
    seconds = _STALE_SECONDS if exchange.fault.seconds is None else exchange.fault.seconds
    await exchange.reply_json(exchange.honest(seconds))


async def empty_list(exchange: Exchange) -> None:
    """Answer a list call with no trainings or services at all."""
    await exchange.reply_json(_with_lists(exchange.honest(0), lambda _items: []))


async def half_list(exchange: Exchange) -> None:
    """Answer a list call with every second item left out."""
    await exchange.reply_json(_with_lists(exchange.honest(0), lambda items: items[::2]))


def _with_lists(honest: SimulatedAnswer, change: Callable[[list[object]], list[object]]) -> SimulatedAnswer:
    if not isinstance(honest.document, dict):
        return honest
    document = honest.document
    changed = {name: change(document[name]) for name in ("trains", "services", "updates") if name in document}
    return replace(honest, document=document | changed)


def records_with(changes: Mapping[str, object]) -> Act:
    """Return a fault that sets these fields in every record of the honest answer that has them."""

    def change(_exchange: Exchange, record: Record) -> None:
        record.update({name: value for name, value in changes.items() if name in record})

    return _changed(change)


def _changed(change: Callable[[Exchange, Record], None]) -> Act:
    """Return a fault that changes each training or update of the honest answer in place."""

    async def act(exchange: Exchange) -> None:
        honest = exchange.honest(0)
        for record in _records_in(honest.document):
            change(exchange, record)
        await exchange.reply_json(honest)

    return act


def _records_in(document: object) -> Iterator[Record]:
    """Yield the trainings in the body of a view or of a list, or the updates in that of an update list."""
    if isinstance(document, dict):
        candidates = next((document[name] for name in ("trains", "updates") if name in document), [document])
        yield from (item for item in candidates if isinstance(item, dict) and _VERSIONS & item.keys())


def _set_unknown_status(exchange: Exchange, training: Record) -> None:
    training["status"] = exchange.fault.text or "hibernating"


def _drop_status(_exchange: Exchange, training: Record) -> None:
    del training["status"]


def _drop_all_but_status(_exchange: Exchange, training: Record) -> None:
    for name in set(training) - {"status"}:
        del training[name]


other_training: Final = records_with(MappingProxyType({"serviceId": "otherservice", "version": "otherversion"}))
unknown_status: Final = _changed(_set_unknown_status)
other_case: Final = _changed(lambda _exchange, training: training.update(status=str(training["status"]).upper()))
missing_status: Final = _changed(_drop_status)
missing_fields: Final = _changed(_drop_all_but_status)
null_status: Final = records_with(MappingProxyType({"status": None}))
wrong_types: Final = records_with(
    MappingProxyType({"status": 7, "hpConfig": "none", "inference": "yes", "createdDate": 20240730, "version": ["1"]})
)
not_a_number: Final = records_with(MappingProxyType({"hpConfig": {"is_enabled": True, "item_top_n": float("nan")}}))


async def duplicate_keys(exchange: Exchange) -> None:
    """Give each training or update a second ``status`` with another value."""
    honest = exchange.honest(0)
    for training in _records_in(honest.document):
        training[_SECOND_STATUS] = "completed" if training["status"] != "completed" else "learning"
    text = to_json(honest.document).replace(to_json(_SECOND_STATUS), b'"status"')
    await exchange.reply(honest.http_status, text)


async def deep(exchange: Exchange) -> None:
    """Nest a field so deeply that a careless parser runs out of stack."""
    depth = exchange.fault.size or _DEPTH
    http_status, text = exchange.honest_bytes()
    nested = b"[" * depth + b"]" * depth
    await exchange.reply(http_status, text.removesuffix(b"}") + b', "nested": ' + nested + b"}")


async def bad_utf8(exchange: Exchange) -> None:
    """Put invalid UTF-8 into an otherwise honest answer."""
    http_status, text = exchange.honest_bytes()
    await exchange.reply(http_status, text.removesuffix(b"}") + b', "name": "\xff\xfe"}')
