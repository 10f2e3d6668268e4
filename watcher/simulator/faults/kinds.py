"""The list of faults. To add one, write a small function and add a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from watcher.simulator import gateway
from watcher.simulator.faults import answers, wire
from watcher.simulator.faults.answers import Act, gateway_error
from watcher.simulator.faults.plan import OPTIONS, Fault


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: its function, its description, and its options of ``Fault``."""

    act: Act
    says: str
    takes: tuple[str, ...] = ()


_RETRY: Final = ("retry_after", "retry_after_date_seconds")

KINDS: Final[Mapping[str, FaultKind]] = MappingProxyType(
    {
        # errors of the gateway
        "400": FaultKind(gateway_error(gateway.BAD_REQUEST), "400 with the gateway's code 100"),
        "401": FaultKind(
            gateway_error(gateway.AUTHENTICATION_FAILED, gateway.INVALID), "401 with code 200: key, signature or clock"
        ),
        "401-permission": FaultKind(gateway_error(gateway.PERMISSION_DENIED), "401 with code 210: no permission"),
        "404-gateway": FaultKind(gateway_error(gateway.NOT_FOUND), "404 with the gateway's code 300"),
        "429-quota": FaultKind(gateway_error(gateway.QUOTA_EXCEEDED), "429 with code 400: quota used up", _RETRY),
        "429-throttle": FaultKind(gateway_error(gateway.THROTTLE_LIMITED), "429 with code 410: throttled", _RETRY),
        "429-rate": FaultKind(gateway_error(gateway.RATE_LIMITED), "429 with code 420: rate limited", _RETRY),
        "500": FaultKind(gateway_error(gateway.UNEXPECTED_ERROR), "500 with code 900"),
        "503": FaultKind(gateway_error(gateway.ENDPOINT_ERROR), "503 with code 500", _RETRY),
        "504": FaultKind(gateway_error(gateway.ENDPOINT_TIMEOUT), "504 with code 510"),
        # errors in other shapes
        "403": FaultKind(answers.forbidden, "403 in another envelope of NAVER's"),
        "404": FaultKind(answers.not_found, "404 of AiTEMS: no such service or training"),
        "404-html": FaultKind(answers.html_not_found, "404 in HTML, as of a proxy"),
        "404-empty": FaultKind(answers.empty_not_found, "404 without a body"),
        "xml": FaultKind(answers.xml, "401 in XML"),
        "html": FaultKind(answers.html, "502 in HTML"),
        "empty-error": FaultKind(answers.empty_error, "500 without a body"),
        "redirect": FaultKind(
            answers.redirect, "`status` (default 302), redirecting to `text` (default another path)", ("status", "text")
        ),
        "canned": FaultKind(
            answers.canned, "`text` with `status` and `content_type`", ("status", "text", "content_type")
        ),
        # success without sense
        "html-200": FaultKind(answers.html_ok, "200 with HTML"),
        "garbage": FaultKind(answers.garbage, "200 with bytes that are no JSON"),
        "envelope-200": FaultKind(answers.envelope_ok, "200 with an error envelope"),
        "empty": FaultKind(answers.empty, "200 without a body"),
        "array": FaultKind(answers.array, "200 with an array instead of an object"),
        "null": FaultKind(answers.null, "200 with null"),
        "missing-status": FaultKind(answers.missing_status, "trainings without status"),
        "missing-fields": FaultKind(answers.missing_fields, "trainings with nothing but status"),
        "null-status": FaultKind(answers.null_status, "null for a status"),
        "wrong-types": FaultKind(answers.wrong_types, "numbers for texts, texts for objects"),
        "nan": FaultKind(answers.not_a_number, "NaN, which JSON does not have"),
        "deep": FaultKind(answers.deep, "`size` brackets in a row (default 100,000)", ("size",)),
        "duplicate-keys": FaultKind(answers.duplicate_keys, "two status fields that contradict each other"),
        "bad-utf8": FaultKind(answers.bad_utf8, "bytes that are no UTF-8 in good JSON"),
        # success that misleads
        "other-training": FaultKind(answers.other_training, "an answer about another training"),
        "unknown-status": FaultKind(answers.unknown_status, "`text` for a status (default hibernating)", ("text",)),
        "other-case": FaultKind(answers.other_case, "statuses in capitals"),
        "older-state": FaultKind(answers.older_state, "the state of `seconds` ago (default 30)", ("seconds",)),
        "empty-list": FaultKind(answers.empty_list, "lists with nothing in them"),
        "half-list": FaultKind(answers.half_list, "lists with every second item left out"),
        "clock-off": FaultKind(answers.clock_off, "a Date that is `seconds` ahead (default 600)", ("seconds",)),
        "no-date": FaultKind(answers.no_date, "no Date"),
        "201": FaultKind(answers.created, "a correct answer with 201"),
        # the wire
        "hang": FaultKind(wire.hang, "no answer, ever"),
        "hang-mid-body": FaultKind(wire.hang_mid_body, "half an answer, then nothing"),
        "slow": FaultKind(wire.slow, "a correct answer after `seconds` (default 5)", ("seconds",)),
        "drip": FaultKind(wire.drip, "a byte of the body every `seconds` (default 0.3)", ("seconds",)),
        "drip-headers": FaultKind(wire.drip_headers, "a byte every `seconds` (default 0.3), headers too", ("seconds",)),
        "reset": FaultKind(wire.reset, "the connection is reset before an answer"),
        "reset-mid-body": FaultKind(wire.reset_mid_body, "the connection is reset in the middle of the body"),
        "hang-up": FaultKind(wire.hang_up, "the connection is closed before an answer"),
        "truncated": FaultKind(wire.truncated, "fewer bytes than Content-Length says, then closed"),
        "longer-than-said": FaultKind(wire.longer_than_said, "more bytes than Content-Length says"),
        "not-http": FaultKind(wire.not_http, "the greeting of a mail server"),
        "huge-headers": FaultKind(wire.huge_headers, "a header of `size` bytes (default 1 MB)", ("size",)),
        "endless": FaultKind(wire.endless, "a body without end"),
        "huge": FaultKind(wire.huge, "a body of `size` bytes (default 1 GB)", ("size",)),
        "gzip-bomb": FaultKind(
            wire.gzip_bomb, "a small gzip body that becomes `size` bytes (default 200 MB)", ("size",)
        ),
    }
)


def check_fault(fault: Fault) -> Fault:
    """Return the fault if its kind is known and accepts its options.

    Raises:
        ValueError: the kind or an option is unknown; the text names the valid ones.
    """
    kind = KINDS.get(fault.kind)
    if kind is None:
        raise ValueError(f"no such fault: {fault.kind!r}; write one of {', '.join(KINDS)}")
    for option in OPTIONS:
        if getattr(fault, option) is not None and option not in kind.takes:
            takes = ", ".join(kind.takes) or "no option"
            raise ValueError(f"the fault {fault.kind!r} takes {takes}, not {option}")
    return fault
