"""What Slack says of a bot's token, for ``check --online`` and ``test``."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.config import SlackSettings
    from watcher.receivers.slack.bot import Access
    from watcher.wiring.runtime import Runtime


async def access_of(name: str, settings: SlackSettings, around: Runtime, stack: AsyncExitStack) -> Access:
    """Ask Slack what the receiver's token may do.

    Raises:
        SecretError: the token cannot be had.
        InvalidReceiverError: it is no token.
    """
    from watcher.receivers.slack.bot import SlackReceiver
    from watcher.wiring.receivers import make_receiver

    receiver = make_receiver(name, settings, around, stack)
    assert isinstance(receiver, SlackReceiver)  # noqa: S101 - the kind of the settings says so
    return await receiver.access()


def scopes_text(access: Access) -> str:
    """Name the token's scopes."""
    return f"scopes {', '.join(access.scopes)}" if access.scopes else "Slack names no scopes"


def history_text(access: Access) -> str:
    """Say whether the channel's history may be read, and what that means."""
    if access.unreadable is None:
        return "its history may be read: one message in effect"
    return f"its history may not be read ({access.unreadable}): a message whose sending had no answer may come twice"
