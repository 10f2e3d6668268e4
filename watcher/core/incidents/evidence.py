"""The numbers in the detail of a failed poll: the HTTP status, the gateway's code, the difference of the clocks.

The detail is one line for a person, written by ``aitems.client`` and ``pipeline.polling.incidents``. The store keeps no
more of a failure, so that messages read the numbers from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HTTP: Final = re.compile(r"HTTP ([1-5][0-9]{2})(?:, code ([0-9A-Za-z-]{1,20})(?=,|$))?")
_SKEW: Final = re.compile(r"the server's clock is ([+-][0-9]{1,12}) s from ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers of a failed poll; ``None`` for each that the detail does not have."""

    http_status: int | None = None
    code: str | None = None
    server_ahead_seconds: int | None = None
    """Positive where the server's clock is ahead of ours."""


def evidence_in(detail: str) -> Evidence:
    """Return the numbers in a detail, for any text."""
    http, skew = _HTTP.match(detail), _SKEW.search(detail)
    return Evidence(
        http_status=int(http.group(1)) if http else None,
        code=http.group(2) if http else None,
        server_ahead_seconds=int(skew.group(1)) if skew else None,
    )
