"""The English advice for each cause of an incident, written for somebody who was just woken up.

Events store only the cause; the text is added where an event is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.event import STORE_KINDS, IncidentFacts
from watcher.core.polling.result import Cause

ADVICE: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.DNS: (
            "This machine cannot resolve the address. Check base_url for a typo, then this machine's DNS and network."
        ),
        Cause.CONNECT: (
            "No connection can be made. Check the network, the firewall and the proxy between this machine and "
            "AiTEMS. If they are right, AiTEMS may be down."
        ),
        Cause.TLS: (
            "The TLS connection fails. Check this machine's date and its CA certificates. Behind a proxy that opens "
            "TLS, set its certificate as ca_file."
        ),
        Cause.DEADLINE: (
            "No complete answer came in time. This often passes. If it stays, check the network, or raise the "
            "account's timeout."
        ),
        Cause.RESET: (
            "The connection broke before the answer was complete. This often passes. If it stays, check the network "
            "between this machine and AiTEMS, above all a proxy."
        ),
        Cause.KEY: (
            "The gateway rejects the key or the signature. Check that access_key and secret_key belong together, are "
            "not swapped, and are active in the console. Then check this machine's clock."
        ),
        Cause.PERMISSION: (
            "The key is valid but may not read this. Ask an administrator to give its Sub Account the right to view "
            "AiTEMS, and check that the account subscribes to AiTEMS."
        ),
        Cause.QUOTA: (
            "The account's quota of calls is used up. The watcher pauses and then continues. Raise the quota in the "
            "console, or poll less often: raise interval and idle_interval."
        ),
        Cause.THROTTLE: (
            "AiTEMS asks for fewer calls. The watcher pauses and then continues. If it stays, lower "
            "requests_per_second, and look for other programs that use the account."
        ),
        Cause.RATE: (
            "AiTEMS asks for fewer calls per second. The watcher pauses and then continues. If it stays, lower "
            "requests_per_second, and look for other programs that use the account."
        ),
        Cause.SERVER: (
            "AiTEMS, or a system in front of it, answers with an error of its own. Wait. If it stays, check NAVER "
            "Cloud's notices or ask its support."
        ),
        Cause.BAD_ANSWER: (
            "The answer is not one that AiTEMS documents. Check base_url, and whether a proxy returns a page of its "
            "own. If both are right, AiTEMS may have changed: report the detail to the watcher's makers."
        ),
        Cause.REFUSED: (
            "The gateway rejects the request, or does not know the path. Check base_url and the ids of the watch. If "
            "they are right, AiTEMS may be down: wait, then report the detail to the watcher's makers."
        ),
        Cause.CLOCK: (
            "The clocks of this machine and of AiTEMS differ. From five minutes on, no signature is accepted. Set "
            "this machine's clock, and synchronise it by NTP (timedatectl set-ntp true)."
        ),
        Cause.NOT_FOUND: (
            "AiTEMS knows no such service or training. Check the ids, and that they belong to this account and "
            "base_url. If it was deleted, remove its [[watch]]."
        ),
    }
)
"""One to four short sentences for every cause; a test checks that none is missing."""

STORE_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "disk-full": "Free space on the disk that holds the watcher's store. The watcher then continues.",
        "io-error": "Check the disk that holds the watcher's store, and the system's log. The watcher then continues.",
        "database-away": "Check that the database server runs and that this machine reaches it.",
        "store-removed": (
            "The file of the watcher's store was removed, moved or replaced. Put it back, or restart the watcher, "
            "which restores its newest backup."
        ),
        "locked": "End the process that holds the watcher's store open for writing. The watcher then continues.",
    }
)
"""The advice for each write fault, by its code."""

UNKNOWN_CAUSE: Final = "This version of the watcher does not know the cause. Read the detail."


def advice(cause: Cause) -> str:
    """Return the advice for a cause of failed polls."""
    return ADVICE[cause]


def store_advice(cause: str) -> str:
    """Return the advice for the code of a write fault."""
    return STORE_ADVICE.get(cause, UNKNOWN_CAUSE)


def advice_for(facts: IncidentFacts) -> str:
    """Return the advice for an incident, also for a cause that another version of the watcher stored."""
    if facts.kind in STORE_KINDS:
        return store_advice(facts.cause)
    return ADVICE[Cause(facts.cause)] if facts.cause in set(Cause) else UNKNOWN_CAUSE
