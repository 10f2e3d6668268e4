"""The permissions of a bot's token, for commands that do without the library of Slack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The permissions of a token, as Slack reports them."""

    identity: str
    """The bot and its workspace; empty where Slack rejects the token."""
    scopes: tuple[str, ...]
    answer: str
    refused: str | None = None
    """The failed call with its reason; ``None`` where the token can post into the channel."""
    unreadable: str | None = None
    """The reason why the channel's history cannot be read; ``None`` where it can."""
