"""Connect to allowed addresses only. A name is resolved once, and its forbidden addresses are left out."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from watcher.addresses import ForbiddenAddressError, forbidden_address_reason

FIRST_TRIES_SECONDS: Final = 3.0
"""The time limit of a probe for each address except the last."""

MAX_NAMED: Final = 3
"""Forbidden addresses in one message."""


async def allowed_addresses(host: str, port: int) -> list[str]:
    """Resolve a host; return its allowed addresses, at least one.

    Raises:
        ForbiddenAddressError: all of its addresses are forbidden; the text names them.
        OSError: the name cannot be resolved.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    reasons = {str(info[4][0]): forbidden_address_reason(str(info[4][0])) for info in infos}
    allowed = [address for address, reason in reasons.items() if reason is None]
    if not allowed:
        named = list(reasons.items())[:MAX_NAMED]
        raise ForbiddenAddressError(", ".join(f"{address}: {reason}" for address, reason in named))
    return allowed
