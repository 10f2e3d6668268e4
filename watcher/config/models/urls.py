"""Which URLs are taken: http and https, with a plain host, and nothing in them that is a secret by itself.

No message holds the URL: a webhook's is often a secret.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from watcher.addresses import forbidden_host_reason

SCHEMES: Final = ("http", "https")
SLACK_HOOK_HOST: Final = "hooks.slack.com"
"""The host of every incoming webhook of Slack."""

_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


class UrlProblem(NamedTuple):
    """What is wrong with a URL, and what to do."""

    problem: str
    remedy: str


_NO_URL: Final = UrlProblem("is not a URL", 'write it in full, e.g. "https://host.example/path"')


def receiver_url_problem(url: str) -> UrlProblem | None:
    """Say why a receiver's URL is not taken; also for one that a secret held."""
    parts = _split(url)
    if isinstance(parts, UrlProblem):
        return parts
    host = parts.hostname or ""
    if fault := forbidden_host_reason(host):
        return UrlProblem(f"leads to {host}: {fault}", "give the host of the receiver itself")
    return _host_problem(host)


def account_url_problem(url: str) -> UrlProblem | None:
    """Say why an account's URL is not taken: as for a receiver, and ``http`` only on this machine."""
    parts = _split(url)
    if isinstance(parts, UrlProblem):
        return parts
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        return UrlProblem("is http:// to another machine", "write https://; http:// is taken for loopback only")
    if parts.query:
        return UrlProblem("has a query", "leave out the ? and what follows")
    return _host_problem(host)


def is_slack_hook(url: str) -> bool:
    """Say whether it is an incoming webhook of Slack."""
    parts = _split(url)
    return isinstance(parts, SplitResult) and parts.hostname == SLACK_HOOK_HOST


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult | UrlProblem:
    # urlsplit drops control characters in silence, so they are refused before it sees them.
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        return UrlProblem(
            "holds a blank, a backslash, or a letter outside ASCII",
            "percent-encode it; a host in another script is written in its xn-- form",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _NO_URL
    return _parts_problem(parts, port) or parts


def _parts_problem(parts: SplitResult, port: int | None) -> UrlProblem | None:
    if parts.scheme not in SCHEMES:
        return UrlProblem("does not begin with https:// or http://", _NO_URL.remedy)
    if "@" in parts.netloc:
        return UrlProblem("holds a user name or password", "take it out: a URL is shown in logs and tables")
    if not parts.hostname or port == 0:
        return _NO_URL
    if parts.fragment:
        return UrlProblem("has a fragment", "leave out the # and what follows")
    return None


def _host_problem(host: str) -> UrlProblem | None:
    """Refuse ``http://2130706433/`` and its like: libraries disagree on which address that is."""
    if not _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return UrlProblem("has a number for a host", "write the address as four numbers with dots, or a name")
    return None
