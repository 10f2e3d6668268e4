"""Headers of a webhook: valid names and values, and no secret in plain text."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from watcher.config.faults import invalid, quoted
from watcher.config.models.fields import frozen_mapping
from watcher.config.models.secret_fields import secret_reference
from watcher.config.secrets import SecretRef

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name by RFC 9110, section 5.6.2."""

RESERVED_HEADERS: Final = frozenset(
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
"""Headers with a meaning in HTTP or Standard Webhooks, which no setting may change."""

_SECRET_NAME: Final = re.compile(r"authorization|cookie|token|secret|passw|api-?key|access-?key|signature")


def is_secret_header(name: str) -> bool:
    """Return whether a header of this name usually carries a secret."""
    return _SECRET_NAME.search(name.lower()) is not None


def _header_name(name: str) -> str:
    if not TOKEN.fullmatch(name):
        raise invalid(f"{quoted(name)} is no name of a header", "write letters, digits and hyphens")
    if name.lower() in RESERVED_HEADERS:
        raise invalid(f"{quoted(name)} is set by the watcher", "take it out")
    return name


def _header_value(value: object, info: ValidationInfo) -> object:
    match value:
        case dict():
            return secret_reference(value, "HEADER_VALUE", info)
        case str() if not value.isascii() or not value.isprintable():
            raise invalid("is not plain ASCII text", "take out control characters and other letters")
        case str() | SecretRef():
            return value
    raise invalid("is no header's value", 'write text in quotes, or { env = "HEADER_VALUE" } for a secret')


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str | SecretRef, BeforeValidator(_header_value)]
Headers = Annotated[Mapping[HeaderName, HeaderValue], AfterValidator(frozen_mapping)]
