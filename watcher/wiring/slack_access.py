"""Slack's information about a bot's token, for ``check --online`` and ``test``."""

from __future__ import annotations

from contextlib import AsyncExitStack

from watcher.config import SlackSettings
from watcher.receivers.slack.access import Access
from watcher.wiring.receivers import make_receiver
from watcher.wiring.runtime import Runtime


async def access_of(name: str, settings: SlackSettings, process: Runtime, stack: AsyncExitStack) -> Access:
    """Ask Slack for the permissions of the receiver's token.

    Raises:
        SecretError: the token cannot be read.
        InvalidReceiverError: the text is no token.
    """
    # Imported here: a daemon without such a receiver need not load the library of Slack.
    from watcher.receivers.slack.bot import SlackReceiver  # noqa: PLC0415 - see above

    receiver = make_receiver(name, settings, process, stack)
    assert isinstance(receiver, SlackReceiver)  # noqa: S101 - settings of this kind make such a receiver
    return await receiver.access()
