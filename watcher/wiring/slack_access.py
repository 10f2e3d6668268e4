"""Slack's information about a bot's token, for ``check --online`` and ``test``."""

from __future__ import annotations

from contextlib import AsyncExitStack

from watcher.config import SlackSettings
from watcher.receivers.slack.bot import Access, SlackReceiver
from watcher.wiring.receivers import make_receiver
from watcher.wiring.runtime import Runtime


async def access_of(name: str, settings: SlackSettings, process: Runtime, stack: AsyncExitStack) -> Access:
    """Ask Slack for the permissions of the receiver's token.

    Raises:
        SecretError: the token cannot be read.
        InvalidReceiverError: the text is no token.
    """
    receiver = make_receiver(name, settings, process, stack)
    assert isinstance(receiver, SlackReceiver)  # noqa: S101 - settings of this kind make such a receiver
    return await receiver.access()
