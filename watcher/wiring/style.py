"""The settings of a receiver's messages, from the configuration and this machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

from watcher.config import AccountSettings
from watcher.core.messages.message import Style


def style_of(receiver: str, accounts: Mapping[str, AccountSettings]) -> Style:
    """Return the style of a receiver's messages.

    Times in plain text are in the zone of the accounts; where these have several, in UTC.
    """
    zones = {name: ZoneInfo(account.time_zone) for name, account in accounts.items()}
    common = set(zones.values())
    return Style(
        receiver=receiver,
        host=socket.gethostname(),
        several_accounts=len(accounts) > 1,
        zone=common.pop() if len(common) == 1 else UTC,
        account_zones=zones,
    )
