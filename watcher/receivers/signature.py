"""The headers of Standard Webhooks: an id, the time of the attempt, and a signature of both and the body.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Webhook headers"
and "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import math
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from watcher.core.secret import Secret, hint
from watcher.receivers.spec import InvalidReceiverError

PREFIX: Final = "whsec_"
KEY_BYTES: Final = range(24, 65)
"""The standard's range of key lengths."""
_HOW_TO_MAKE_ONE: Final = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


def signed_headers(message_id: str, body: bytes, now: datetime, keys: tuple[bytes, ...]) -> dict[str, str]:
    """Return the standard's headers for one attempt at ``now``, with one signature for each key."""
    # The library treats a time of any zone as UTC.
    attempted_at = now.astimezone(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(math.floor(attempted_at.timestamp())),
    }
    if keys:
        signatures = (Webhook(key).sign(message_id, attempted_at, body.decode()) for key in keys)
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def decode_keys(secret: Secret, receiver: str) -> tuple[bytes, ...]:
    """Return the signing keys in ``secret``: one, or several separated by white space during a rotation.

    Raises:
        InvalidReceiverError: The secret is in quotes or has a name before it; or a key is not base64 (with or without
            ``whsec_``), or not of the standard's length.
    """
    if mistake := hint(secret):
        raise InvalidReceiverError(receiver, "secret", f"it {mistake}")
    keys = tuple(_decode(part, receiver) for part in secret.reveal().split())
    if not keys:
        raise InvalidReceiverError(receiver, "secret", f"it is empty; {_HOW_TO_MAKE_ONE}")
    for key in keys:
        if len(key) not in KEY_BYTES:
            fault = f"it has a key of {len(key)} bytes, but Standard Webhooks requires 24 to 64; {_HOW_TO_MAKE_ONE}"
            raise InvalidReceiverError(receiver, "secret", fault)
    return keys


def _decode(encoded: str, receiver: str) -> bytes:
    text = encoded.removeprefix(PREFIX).rstrip("=")
    try:
        # The library's own decoder skips invalid characters, and would sign with a different key.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidReceiverError(receiver, "secret", f"it is not base64; {_HOW_TO_MAKE_ONE}") from None
