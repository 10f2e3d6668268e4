"""The kinds of receivers.

To add a kind, write a module with a class like ``core.delivery.receiver.Receiver``, a factory here, and an entry in
``KINDS``. A factory imports its module only when it makes a receiver, so that commands that send nothing start fast.
It raises ``installed.UpgradedError`` where that module would be of another version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.receiver import Receiver
from watcher.installed import require_loadable
from watcher.receivers.spec import InvalidReceiverError, Spec

__all__ = ["KINDS", "InvalidReceiverError", "Receiver", "Spec"]


def _webhook(spec: Spec) -> Receiver:
    require_loadable("watcher.receivers.webhook")
    from watcher.receivers.webhook import WebhookReceiver

    return WebhookReceiver(spec)


def _slack_webhook(spec: Spec) -> Receiver:
    require_loadable("watcher.receivers.slack.webhook")
    from watcher.receivers.slack.webhook import SlackWebhookReceiver

    return SlackWebhookReceiver(spec)


def _slack(spec: Spec) -> Receiver:
    require_loadable("watcher.receivers.slack.bot")
    from watcher.receivers.slack.bot import SlackReceiver

    return SlackReceiver(spec)


def _log(spec: Spec) -> Receiver:
    require_loadable("watcher.receivers.log")
    from watcher.receivers.log import LogReceiver

    return LogReceiver(spec)


def _console(spec: Spec) -> Receiver:
    require_loadable("watcher.receivers.console")
    from watcher.receivers.console import ConsoleReceiver

    return ConsoleReceiver(spec)


KINDS: Final[Mapping[str, Callable[[Spec], Receiver]]] = MappingProxyType(
    {
        "webhook": _webhook,
        "slack-webhook": _slack_webhook,
        "slack": _slack,
        "log": _log,
        "console": _console,
    }
)
"""The factory of each ``kind`` in the configuration; factories raise ``InvalidReceiverError``."""
