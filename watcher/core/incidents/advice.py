"""What a person can do about each cause of not seeing; written for somebody who was just woken up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.polling.result import Cause

ADVICE: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.DNS: (
            "This machine cannot find the address. Check base_url for a typo; if it is right, look at this "
            "machine's DNS and network."
        ),
        Cause.CONNECT: (
            "No connection comes about. Check the network, the firewall and the proxy between this machine and "
            "AiTEMS; if they are right, AiTEMS may be down."
        ),
        Cause.TLS: (
            "The secure connection fails. Check this machine's date and its CA certificates; behind a proxy that "
            "opens TLS, give its certificate as ca_file."
        ),
        Cause.DEADLINE: (
            "No whole answer came in time. This often passes by itself; if it stays, check the network, or raise "
            "the account's timeout."
        ),
        Cause.RESET: (
            "The connection broke before the answer was whole. This often passes by itself; if it stays, look at "
            "what stands between this machine and AiTEMS, a proxy above all."
        ),
        Cause.KEY: (
            "The gateway does not accept the key or the signature. Check that access_key and secret_key belong "
            "together, are not swapped, and are active in the console; then this machine's clock."
        ),
        Cause.PERMISSION: (
            "The key is valid but may not read this. Let an administrator give its Sub Account the right to view "
            "AiTEMS, and check that AiTEMS is subscribed to."
        ),
        Cause.QUOTA: (
            "The account's quota of calls is used up; the watcher pauses and goes on by itself. Raise the quota in "
            "the console, or look less often: raise interval and idle_interval."
        ),
        Cause.THROTTLE: (
            "AiTEMS wants fewer calls; the watcher pauses and goes on by itself. If it stays, lower "
            "requests_per_second, and look for other programs that use the account."
        ),
        Cause.RATE: (
            "AiTEMS wants fewer calls a second; the watcher pauses and goes on by itself. If it stays, lower "
            "requests_per_second, and look for other programs that use the account."
        ),
        Cause.SERVER: (
            "AiTEMS, or something before it, answers with an error of its own: nothing to do here but wait. If it "
            "stays, look at NAVER Cloud's notices or ask its support."
        ),
        Cause.BAD_ANSWER: (
            "Something answered that is not AiTEMS as documented. Check base_url, and whether a proxy shows a page of "
            "its own; if both are right, AiTEMS may have changed: report the detail to the watcher's makers."
        ),
        Cause.REFUSED: (
            "The gateway does not take the request as it is. Check base_url and the ids of the watch; if they are "
            "right, report the detail to the watcher's makers."
        ),
        Cause.CLOCK: (
            "This machine's clock and AiTEMS' differ; from five minutes on, no signature is accepted. Set this "
            "machine's clock, and keep it right by NTP (timedatectl set-ntp true)."
        ),
        Cause.NOT_FOUND: (
            "AiTEMS knows no such service or training. Check the ids, and that they belong to this account and "
            "base_url; if it was deleted, take its [[watch]] out."
        ),
    }
)
"""One to three short sentences for every cause; a test holds it total."""


def advice(cause: Cause) -> str:
    """Return what to do about ``cause``."""
    return ADVICE[cause]
