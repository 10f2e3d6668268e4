"""The evidence for the cause of a failed poll: the HTTP status, the gateway's code, the difference of the clocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_CODE: Final = re.compile(r"[0-9A-Za-z-]{1,20}")
_HTTP: Final = re.compile(r"HTTP ([1-5][0-9]{2})(?:, code ([0-9A-Za-z-]{1,20})(?=,|$))?")
_SKEW: Final = re.compile(r"the server's clock is ([+-][0-9]{1,12}) s from ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The codes and numbers of a failed poll; ``None`` for each that it does not have."""

    http_status: int | None = None
    code: str | None = None
    """The code in AiTEMS' error envelope, e.g. ``210``."""
    server_ahead_seconds: int | None = None
    """Positive where the server's clock is ahead of ours."""


def plain_code(code: str | None) -> str | None:
    """Return a code that may stand in a message as it is; ``None`` for any other text from outside."""
    return code if code is not None and _CODE.fullmatch(code) else None


NO_EVIDENCE: Final = Evidence()


def evidence_json(evidence: Evidence) -> dict[str, object]:
    """Return the evidence as plain JSON."""
    return {
        "http_status": evidence.http_status,
        "code": evidence.code,
        "server_ahead_seconds": evidence.server_ahead_seconds,
    }


def read_evidence(data: Mapping[str, Any]) -> Evidence:
    """Read the evidence of stored facts; older versions stored it only within the ``detail``."""
    stored = data.get("evidence")
    if stored is None:
        return evidence_in_old(data["detail"])
    return Evidence(
        http_status=stored["http_status"],
        code=stored["code"],
        server_ahead_seconds=stored["server_ahead_seconds"],
    )


def evidence_in_old(detail: str) -> Evidence:
    """Return the evidence in a detail that an older version stored, for any text."""
    http, skew = _HTTP.match(detail), _SKEW.search(detail)
    return Evidence(
        http_status=int(http.group(1)) if http else None,
        code=http.group(2) if http else None,
        server_ahead_seconds=int(skew.group(1)) if skew else None,
    )
