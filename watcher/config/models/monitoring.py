"""Settings for the monitoring of the watcher: its listener and its heartbeat."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from watcher.config.faults import invalid, quoted
from watcher.config.models.base import Settings
from watcher.config.models.fields import HeartbeatInterval, as_tuple, checked_url
from watcher.config.models.secret_fields import secret_from, secret_reference
from watcher.config.models.urls import is_loopback, receiver_url_problem
from watcher.config.secrets import SecretRef

LISTEN: Final = "127.0.0.1:8787"
SWITCHED_OFF: Final = ""

OWN_PATHS: Final = frozenset(
    (
        *("api", "badge", "deliveries", "healthz", "live", "login", "metrics", "plot", "readyz"),
        *("receivers", "service", "services", "signout", "silences", "static", "training"),
    )
)
"""The first parts of the paths of the listener: a base path that begins so would make them ambiguous."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_BASE_PATH_REMEDY: Final = 'write it as "/aitems", or leave it out where the proxy has the watcher at its root'

_REMEDY: Final = f'write host:port, e.g. "{LISTEN}" or "[::1]:8787", or "" for none'


class Address(NamedTuple):
    """The address of the listener; port 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def address_of(listen: str) -> Address:
    """Read ``host:port``.

    Raises:
        ValueError: the text is no address.
    """
    parts = urlsplit(f"//{listen}")
    if not (listen.isascii() and listen.isprintable()) or parts.netloc != listen:
        raise ValueError(listen)
    if not parts.hostname or parts.port is None or "@" in listen:
        raise ValueError(listen)
    return Address(parts.hostname, parts.port)


def _listen(text: str) -> str:
    if text == SWITCHED_OFF:
        return text
    try:
        address_of(text)
    except ValueError:
        raise invalid(f"{quoted(text)} is no address to listen on", _REMEDY) from None
    return text


def _token_where_others_reach(token: SecretRef | None, info: ValidationInfo) -> SecretRef | None:
    listen = info.data.get("listen", SWITCHED_OFF)
    if token is None and listen and not address_of(listen).is_loopback:
        raise invalid(
            f"is missing where others can reach listen = {quoted(listen)}",
            f'write token = {{ file = "/path" }}, or listen = "{LISTEN}" for this machine alone',
        )
    return token


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise invalid(
                f"{quoted(text)} is no address", 'write an address or a network, e.g. "10.0.0.7" or "10.0.0.0/24"'
            ) from None
    return texts


def _token_where_proxies_lead_others(texts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    # Without the key, the token itself was refused, which is said already.
    if texts and info.data.get("token", "refused") is None:
        raise invalid(
            "others reach the watcher through these proxies, and [web] token is missing",
            'write token = { file = "/path" }, or leave trusted_proxies out',
        )
    return texts


def _base_path(text: str, info: ValidationInfo) -> str:
    if not text:
        return text
    if text == "/" or text != f"/{text.strip('/')}":
        raise invalid(f"{quoted(text)} does not begin with one slash and end without one", _BASE_PATH_REMEDY)
    first, *_ = segments = text[1:].split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or not segment.strip("."):
            raise invalid(
                f"{quoted(text)} has the part {quoted(segment)}; a part has letters, digits, - . _ and ~,"
                " and is not only dots",
                _BASE_PATH_REMEDY,
            )
    if first in OWN_PATHS:
        raise invalid(f"{quoted(text)} begins with a path of the watcher itself, /{first}", _BASE_PATH_REMEDY)
    if info.data.get("token", "refused") is None:
        raise invalid(
            "others reach the watcher through the proxy that has this path, and [web] token is missing",
            'write token = { file = "/path" }, or leave base_path out',
        )
    return text


class WebSettings(Settings):
    """The table ``[web]``: the pages, the API, health and metrics over HTTP."""

    listen: Annotated[str, AfterValidator(_listen)] = LISTEN
    """``host:port``, or empty for none."""
    token: Annotated[
        Annotated[SecretRef, secret_from("WEB_TOKEN")] | None, AfterValidator(_token_where_others_reach)
    ] = None
    """The required value of ``Authorization: Bearer``."""
    trusted_proxies: Annotated[
        tuple[str, ...],
        BeforeValidator(as_tuple),
        AfterValidator(_networks),
        AfterValidator(_token_where_proxies_lead_others),
    ] = ()
    """Addresses of proxies whose ``X-Forwarded-For``, ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` are believed."""
    base_path: Annotated[str, AfterValidator(_base_path)] = ""
    """The path of a reverse proxy below which everything is, e.g. ``/aitems``; empty for none."""

    @property
    def address(self) -> Address | None:
        """The address of the listener, or ``None`` for none."""
        return address_of(self.listen) if self.listen else None


def _heartbeat_url(value: object, info: ValidationInfo) -> object:
    match value:
        case dict():
            return secret_reference(value, "HEARTBEAT_URL", info)
        case str():
            return checked_url(receiver_url_problem)(value)
        case SecretRef():
            return value
    raise invalid("is no URL", 'write it in quotes, or { env = "HEARTBEAT_URL" } where it is a secret')


class HeartbeatSettings(Settings):
    """The table ``[heartbeat]``: regular calls to an external dead man's switch."""

    url: Annotated[str | SecretRef, BeforeValidator(_heartbeat_url)] | None = None
    """Called by GET; without it there is no heartbeat."""
    every: HeartbeatInterval = timedelta(minutes=1)
