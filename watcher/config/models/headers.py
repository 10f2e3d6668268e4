"""Headers of a webhook: names and values that HTTP takes, and no secret in plain sight."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from watcher.config.faults import shown, wrong
from watcher.config.models.fields import frozen_mapping
from watcher.config.models.secret_fields import secret_reference
from watcher.config.secrets import SecretRef

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name by RFC 9110, section 5.6.2."""

OURS: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)
"""What HTTP or Standard Webhooks give a meaning that a setting must not change."""

_NOTIFYING: Final = re.compile(r"authorization|cookie|token|secret|passw|api-?key|access-?key|signature")


def is_secret_header(name: str) -> bool:
    """Say whether a header of this name usually carries a secret."""
    return _NOTIFYING.search(name.lower()) is not None


def _header_name(name: str) -> str:
    if not TOKEN.fullmatch(name):
        raise wrong(f"{shown(name)} is no name of a header", "write letters, digits and hyphens")
    if name.lower() in OURS:
        raise wrong(f"{shown(name)} is set by the watcher itself", "take it out")
    return name


def _header_value(value: object, info: ValidationInfo) -> object:
    match value:
        case dict():
            return secret_reference(value, "HEADER_VALUE", info)
        case str() if not value.isascii() or not value.isprintable():
            raise wrong("is not plain ASCII text", "take out control characters and other letters")
        case str() | SecretRef():
            return value
    raise wrong("is no header's value", 'write text in quotes, or { env = "HEADER_VALUE" } for a secret')


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str | SecretRef, BeforeValidator(_header_value)]
Headers = Annotated[Mapping[HeaderName, HeaderValue], AfterValidator(frozen_mapping)]
