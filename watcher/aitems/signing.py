"""NAVER Cloud's signature v2: each attempt is signed anew, over the bytes and the timestamp that are sent.

Source: "Ncloud API: common" (api.ncloud-docs.com/docs/common-ncpapi). The gateway rejects a timestamp more than five
minutes from its own clock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from watcher.clock import Clock
from watcher.core.secret import Secret, hint

TIMESTAMP_HEADER: Final = "x-ncp-apigw-timestamp"
ACCESS_KEY_HEADER: Final = "x-ncp-iam-access-key"
SIGNATURE_HEADER: Final = "x-ncp-apigw-signature-v2"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The access key ID and the secret key of a main account or a Sub Account."""

    access_key: Secret
    secret_key: Secret

    @property
    def hints(self) -> tuple[str, ...]:
        """The likely mistakes in the keys."""
        named = {"access_key": hint(self.access_key), "secret_key": hint(self.secret_key)}
        return tuple(f"{name} {text}" for name, text in named.items() if text)


class Keys(Protocol):
    """A source of keys, which may change between two calls."""

    def current(self) -> KeyPair:
        """Return the present keys."""
        ...


class SignatureV2:
    """Signs a request just before it is sent; implements ``watcher.http.Signer``."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def __call__(self, method: str, raw_path: bytes) -> Mapping[str, str]:
        """Return the three headers for ``raw_path``, the path and query as they are sent."""
        pair = self._keys.current()
        timestamp = str((self._clock.utc_now() - EPOCH) // MILLISECOND)
        return {
            TIMESTAMP_HEADER: timestamp,
            ACCESS_KEY_HEADER: pair.access_key.reveal(),
            SIGNATURE_HEADER: signature(method, raw_path, timestamp, pair),
        }


def signature(method: str, raw_path: bytes, timestamp: str, pair: KeyPair) -> str:
    """Return the Base64 of HMAC-SHA256 over method, path with query, timestamp (ms) and access key."""
    message = b"%b %b\n%b\n%b" % (
        method.encode(),
        raw_path,
        timestamp.encode(),
        pair.access_key.reveal().encode(),
    )
    digest = hmac.digest(pair.secret_key.reveal().encode(), message, hashlib.sha256)
    return base64.b64encode(digest).decode()
