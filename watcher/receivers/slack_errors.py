"""What an answer of Slack's incoming webhooks means: one table of names, one classification.

Names and statuses: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors and
https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from watcher.core.delivery import Degrade, Delivered, Outcome, Refused, Scope, TryLater, Uncertain

RATE_LIMITED: Final = frozenset({"rate_limited", "ratelimited"})
CONTENT: Final = frozenset(
    {
        "invalid_payload",
        "no_text",
        "invalid_blocks",
        "invalid_blocks_format",
        "too_many_attachments",
        "msg_too_long",
        "msg_blocks_too_long",
    }
)
"""Slack does not take what the message consists of; a simpler one may pass."""

_NEW_WEBHOOK: Final = "make a new incoming webhook and give its address as url"
PERSON_MUST_ACT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "channel_not_found": "the channel is gone; make a webhook for another one",
        "channel_is_archived": "unarchive the channel, or make a webhook for another one",
        "action_prohibited": "an administrator of the workspace has restricted this webhook; ask there",
        "posting_to_general_channel_denied": "this webhook may not post to #general; make one for another channel",
        "user_not_found": "the person it posts to is gone; make a webhook for another one",
        "no_service": _NEW_WEBHOOK,
        "no_service_id": _NEW_WEBHOOK,
        "no_active_hooks": _NEW_WEBHOOK,
        "no_team": "the workspace is gone; give another address as url",
        "team_disabled": "the workspace is disabled; ask its administrator",
        "invalid_token": _NEW_WEBHOOK,
    }
)
"""Destination or credentials: nothing passes until somebody acts; what to do."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
_HTML: Final = re.compile(r"\s*<", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAnswer:
    """What came back of one post."""

    status: int
    body: str
    kept: str
    """What is stored of it, without secrets."""
    after_seconds: float | None = None

    @property
    def name(self) -> str:
        """The error's name, e.g. ``channel_is_archived``; empty where the body is something else."""
        text = self.body.strip()
        return text if _NAME.fullmatch(text) else _name_in_json(text)


def _name_in_json(text: str) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    name = data.get("error") if isinstance(data, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def classify(answer: SlackAnswer, degrade: int, last_degrade: int) -> Outcome:
    """Return what an answer means; ``degrade`` is the step that was sent, ``last_degrade`` the simplest there is."""
    if answer.status == HTTPStatus.OK and answer.body.strip() == "ok":
        return Delivered(answer=answer.kept)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.name in RATE_LIMITED:
        return TryLater(reason="rate_limited", answer=answer.kept, after_seconds=answer.after_seconds)
    if answer.name in PERSON_MUST_ACT:
        return Refused(reason=f"{answer.name}: {PERSON_MUST_ACT[answer.name]}", answer=answer.kept)
    if answer.name in CONTENT or answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _content_refused(answer, degrade, last_degrade)
    return _by_status(answer)


def _content_refused(answer: SlackAnswer, degrade: int, last_degrade: int) -> Outcome:
    reason = answer.name or f"http {answer.status}"
    if degrade < last_degrade:
        return Degrade(reason=reason, answer=answer.kept)
    return Refused(reason=f"{reason}: text alone is refused too", answer=answer.kept, scope=Scope.MESSAGE)


def _by_status(answer: SlackAnswer) -> Outcome:
    status = answer.status
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Refused(reason="http 405: our request is wrong", answer=answer.kept, scope=Scope.MESSAGE)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        reason = f"http {status}: a redirect is not followed; put the final address into url"
        return Refused(reason=reason, answer=answer.kept)
    reason = answer.name or f"http {status} without a name of Slack's"
    if _may_have_been_posted(answer):
        return Uncertain(reason=reason, answer=answer.kept, after_seconds=answer.after_seconds)
    # A refusal that we do not know: nothing was posted, and by the time of the next attempt it may pass.
    return TryLater(reason=reason, answer=answer.kept, after_seconds=answer.after_seconds)


def _may_have_been_posted(answer: SlackAnswer) -> bool:
    refused = HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    # A page of HTML is a proxy's: it does not tell what Slack did.
    return not refused or _HTML.match(answer.body) is not None
