"""What an answer of Slack's means: one classification for incoming webhooks and the Web API, each with its names.

ErrorNames and statuses of webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
and https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks/. Those of the Web API stand in
``slack_names``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from watcher.core.delivery.model import (
    MAX_RETRY_AFTER_SECONDS,
    Degrade,
    Delivered,
    Outcome,
    RefusalScope,
    Refused,
    TryLater,
    Uncertain,
)
from watcher.http import Answered
from watcher.logs import Redactor
from watcher.receivers.responses import requested_pause_seconds, shortened_answer
from watcher.receivers.slack.blocks import METADATA_STEP, TEXT_ONLY, content_step

ANSWER_BYTES: Final = 16_384
RATE_LIMITED: Final = frozenset({"rate_limited", "ratelimited"})
PAUSE_SECONDS: Final = 30.0
"""The pause after "too fast" where Slack does not say how long; to go on at once can get an app disabled for good."""
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
EMPTY: Final[frozenset[str]] = frozenset()

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
_HTML: Final = re.compile(r"\s*<", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNames:
    """What the names of errors of one interface mean; one that stands nowhere is tried again."""

    remedies: Mapping[str, str]
    """Destination or credentials: nothing passes until somebody acts; what to do."""
    content: frozenset[str] = CONTENT
    metadata: frozenset[str] = EMPTY
    """Slack does not take the metadata; the message passes without."""
    unclear: frozenset[str] = EMPTY
    """An error, and yet the message may have been posted."""
    target_gone: frozenset[str] = EMPTY
    """What was to be replied to or changed is gone: the next attempt posts anew, as each of ours does."""
    ours: frozenset[str] = EMPTY
    """Our request is wrong: it will be so another time."""


_NEW_WEBHOOK: Final = "make a new incoming webhook and give its address as url"
WEBHOOK: Final = ErrorNames(
    remedies=MappingProxyType(
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
    ),
    unclear=frozenset({"rollup_error"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAnswer:
    """What came back of one call."""

    status: int
    body: str
    kept: str
    """What is stored of it, without secrets."""
    after_seconds: float | None = None
    accepted: bool = False
    """Whether Slack says that it has done it."""
    receipt: str | None = None
    """The message's ``ts``."""
    denied: bool = False
    """Whether it says ``"ok": false``, which it does with status 200 too."""

    @property
    def name(self) -> str:
        """The error's name, e.g. ``channel_is_archived``; empty where the body is something else."""
        text = self.body.strip()
        return text if _NAME.fullmatch(text) else _name_in_json(text)


def read_answer(answered: Answered, redactor: Redactor, document: Mapping[str, Any] | None = None) -> SlackAnswer:
    """Read a whole answer; ``document`` is the Web API's, a webhook says yes with a bare ``ok``."""
    body = answered.body[:ANSWER_BYTES].decode("utf-8", "replace")
    good = body.strip() == "ok" if document is None else document.get("ok") is True
    facts = document or {}
    name = facts.get("error")
    receipt = facts.get("ts")
    return SlackAnswer(
        status=answered.status,
        # A long answer may be cut before its name.
        body=name if isinstance(name, str) else body,
        kept=shortened_answer(answered, redactor),
        after_seconds=requested_pause_seconds(answered) or _pause_in(facts),
        accepted=good and answered.status == HTTPStatus.OK,
        receipt=receipt if isinstance(receipt, str) else None,
        denied=facts.get("ok") is False,
    )


def _pause_in(document: Mapping[str, Any]) -> float | None:
    wish = document.get("retry_after")
    if isinstance(wish, bool) or not isinstance(wish, int | float) or not wish > 0:
        return None
    return float(min(wish, MAX_RETRY_AFTER_SECONDS))


def _name_in_json(text: str) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    name = data.get("error") if isinstance(data, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def classify(answer: SlackAnswer, degrade: int, names: ErrorNames = WEBHOOK) -> Outcome:
    """Return what an answer means; ``degrade`` is the step of simplifying that was sent."""
    if answer.accepted:
        return Delivered(answer=answer.kept, receipt=answer.receipt)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.name in RATE_LIMITED:
        pause = answer.after_seconds or PAUSE_SECONDS
        return TryLater(reason="rate_limited", answer=answer.kept, after_seconds=pause, throttled=True)
    return _by_name(answer, degrade, names) or _by_status(answer, names)


def _by_name(answer: SlackAnswer, degrade: int, names: ErrorNames) -> Outcome | None:
    name = answer.name
    if name in names.remedies:
        return Refused(reason=f"{name}: {names.remedies[name]}", answer=answer.kept)
    if name in names.content or answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _content_refused(answer, degrade, names)
    if name in names.metadata and degrade < METADATA_STEP:
        return Degrade(reason=name, answer=answer.kept, steps=METADATA_STEP)
    if name in names.ours or answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        reason = f"{name or f'http {answer.status}'}: our request is wrong"
        return Refused(reason=reason, answer=answer.kept, scope=RefusalScope.MESSAGE)
    return None


def _content_refused(answer: SlackAnswer, degrade: int, names: ErrorNames) -> Outcome:
    reason = answer.name or f"http {answer.status}"
    if content_step(degrade) < TEXT_ONLY:
        return Degrade(reason=reason, answer=answer.kept)
    if names.metadata and degrade < METADATA_STEP:
        return Degrade(reason=reason, answer=answer.kept, steps=METADATA_STEP)
    return Refused(reason=f"{reason}: text alone is refused too", answer=answer.kept, scope=RefusalScope.MESSAGE)


def _by_status(answer: SlackAnswer, names: ErrorNames) -> Outcome:
    status = answer.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        reason = f"http {status}: a redirect is not followed; put the final address into the configuration"
        return Refused(reason=reason, answer=answer.kept)
    reason = answer.name or f"http {status} without a name of Slack's"
    if answer.name in names.unclear or _may_have_been_posted(answer):
        return Uncertain(reason=reason, answer=answer.kept, after_seconds=answer.after_seconds)
    # A refusal that we do not know: nothing was posted, and by the time of the next attempt it may pass.
    return TryLater(reason=reason, answer=answer.kept, after_seconds=answer.after_seconds)


def _may_have_been_posted(answer: SlackAnswer) -> bool:
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    refused = answer.denied or answer.status >= HTTPStatus.BAD_REQUEST
    # A page of HTML is a proxy's: it does not tell what Slack did.
    return not refused or _HTML.match(answer.body) is not None
