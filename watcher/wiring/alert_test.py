"""One marked alert to one receiver, for ``test``."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack

from watcher.config import Config, SlackSettings
from watcher.core.delivery.model import DeliveryRequest, Outcome
from watcher.core.event import delivery_id
from watcher.receivers.slack.access import Access
from watcher.reports.receiver_check import marked_event
from watcher.wiring.receivers import make_receiver
from watcher.wiring.runtime import Runtime
from watcher.wiring.slack_access import access_of


async def try_receiver(
    name: str, config: Config, process: Runtime, *, ask_access: bool = True
) -> tuple[Outcome, Access | None]:
    """Make one attempt, and ask Slack for the permissions of a bot's token unless not wanted.

    Raises:
        SecretsError: secrets cannot be read; the error names all of them.
        InvalidReceiverError: a secret or an address cannot be used.
        HttpSetupError: a proxy or a certificate cannot be used.
    """
    outcome = await _send(name, config, process)
    settings = config.receivers[name]
    if not ask_access or not isinstance(settings, SlackSettings):
        return outcome, None
    async with AsyncExitStack() as stack:
        return outcome, await access_of(name, settings, process, stack)


async def _send(name: str, config: Config, process: Runtime) -> Outcome:
    event = marked_event(process.clock.utc_now(), secrets.token_hex(8))
    async with AsyncExitStack() as stack:
        receiver = make_receiver(name, config.receivers[name], process, stack, config.accounts)
        body = receiver.seal(event, receiver_seq=1)
        return await receiver.send(
            DeliveryRequest(delivery_id=delivery_id((event.id,), name), events=(event,), body=body)
        )
