"""The outcome of Slack's answers: one classification for incoming webhooks and the Web API, each with its own names.

Names and statuses of webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
and https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks/. Those of the Web API are in
``error_names``.
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
    TRIES,
    Degrade,
    Delivered,
    Outcome,
    RefusalScope,
    Refused,
    TryLater,
    Uncertain,
)
from watcher.core.delivery.reason import Reason, ReasonCode, RefusalRemedy, http_reason, named_reason
from watcher.core.messages.text import one_line
from watcher.http import Answered, FailureReason, MaybeSent, NotSent
from watcher.logs import Redactor
from watcher.receivers.responses import ANSWER_LIMIT, requested_pause_seconds, shortened_answer
from watcher.receivers.slack.blocks import (
    MENTION_STEP,
    METADATA_STEP,
    content_step,
    has_mention,
    has_metadata,
)
from watcher.receivers.slack.layout import TEXT_ONLY

ANSWER_BYTES: Final = 16_384
RATE_LIMITED: Final = frozenset({"rate_limited", "ratelimited"})
PAUSE_SECONDS: Final = 30.0
"""The pause after a rate limit without a stated wait; Slack may disable an app that continues at once."""
CONTENT: Final = frozenset(
    {
        "invalid_payload",
        "no_text",
        "invalid_blocks",
        "invalid_blocks_format",
        "too_many_attachments",
        "msg_too_long",
        "msg_blocks_too_long",
        "attachment_payload_limit_exceeded",
        "markdown_text_conflict",
    }
)
"""Errors of the content; Slack may accept a simpler message."""
MENTION: Final = frozenset(
    {
        "action_prohibited",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_non_threadable_channel",
        "user_is_restricted",
    }
)
"""Errors that may concern only the mention of a message, e.g. a workspace that restricts ``<!channel>``."""
WORKSPACE: Final = MappingProxyType(
    {
        "team_access_not_granted": RefusalRemedy.WORKSPACE_ACCESS,
        "free_team_not_allowed": RefusalRemedy.WORKSPACE_FREE_PLAN,
        "team_not_on_plan": RefusalRemedy.WORKSPACE_PLAN,
        "user_is_restricted": RefusalRemedy.APP_USER_RESTRICTED,
        "channel_type_not_supported": RefusalRemedy.CHANNEL_TYPE,
    }
)
"""Errors of the workspace's plan and access, and their remedies."""
EMPTY: Final[frozenset[str]] = frozenset()
NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
_MENTION: Final = re.compile(r"mention|broadcast|at_(here|channel|everyone)")
"""Occurs in the names of errors about mentions, also in those that this module does not know."""
_HTML: Final = re.compile(
    r"(?:[\s\ufeff]|<!--(?:(?!-->).)*+-->)*+<(?:title|meta|script|style|center|form|div|p|h[1-6])\b"
    r"|.{0,1000}?<(?:!doctype\s+html|html|head|body)\b",
    re.DOTALL | re.IGNORECASE,
)
"""The beginning of a page; Slack itself sends its plain ``ok`` as ``text/html``, so the header does not show one.

Other XML is an answer.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNames:
    """The error names of one interface, by their meaning; after an unknown name the message is retried."""

    remedies: Mapping[str, RefusalRemedy]
    """The remedy of each error of the destination or credentials, which lasts until a person acts."""
    content: frozenset[str] = CONTENT
    metadata: frozenset[str] = EMPTY
    """Errors of the metadata; Slack accepts the message without it."""
    mention: frozenset[str] = MENTION
    """Errors of the mention; Slack may accept the message without it."""
    unclear: frozenset[str] = EMPTY
    """Errors after which the message may be posted nevertheless."""
    target_gone: frozenset[str] = EMPTY
    """Errors about a message to reply to or change; the next attempt posts a new message, as always."""
    ours: frozenset[str] = EMPTY
    """Errors of our request, which a retry would repeat."""
    needs_confirmation: bool = True
    """Whether only Slack's own words show that a message was posted or not; otherwise the status shows it."""

    @property
    def known(self) -> frozenset[str]:
        """Every error name of the interface that the watcher knows."""
        others = (self.content, self.metadata, self.mention, self.unclear, self.target_gone, self.ours, RATE_LIMITED)
        return frozenset(self.remedies).union(*others)


RESTRICTED: Final = MappingProxyType(
    {
        "restricted_action": RefusalRemedy.POSTING_RESTRICTED,
        "restricted_action_read_only_channel": RefusalRemedy.POSTING_RESTRICTED,
        "restricted_action_thread_only_channel": RefusalRemedy.ONLY_REPLIES,
        "restricted_action_non_threadable_channel": RefusalRemedy.POSTING_RESTRICTED,
    }
)
"""Errors of the channel's settings, and their remedies."""

_NEW_WEBHOOK: Final = RefusalRemedy.NEW_WEBHOOK
WEBHOOK: Final = ErrorNames(
    remedies=MappingProxyType(
        {
            **WORKSPACE,
            **RESTRICTED,
            "channel_not_found": RefusalRemedy.WEBHOOK_CHANNEL_GONE,
            "channel_is_archived": RefusalRemedy.WEBHOOK_UNARCHIVE,
            # The names of the Web API, which gateways pass on.
            "is_archived": RefusalRemedy.WEBHOOK_UNARCHIVE,
            "account_inactive": _NEW_WEBHOOK,
            "token_revoked": _NEW_WEBHOOK,
            "action_prohibited": RefusalRemedy.WEBHOOK_RESTRICTED,
            "posting_to_general_channel_denied": RefusalRemedy.WEBHOOK_GENERAL,
            "user_not_found": RefusalRemedy.WEBHOOK_PERSON_GONE,
            "no_service": _NEW_WEBHOOK,
            "no_service_id": _NEW_WEBHOOK,
            "no_active_hooks": _NEW_WEBHOOK,
            "no_team": RefusalRemedy.WEBHOOK_TEAM_GONE,
            "team_disabled": RefusalRemedy.WORKSPACE_DISABLED,
            "invalid_token": _NEW_WEBHOOK,
        }
    ),
    unclear=frozenset({"rollup_error"}),
    # Other servers have this interface too, each with words of its own.
    needs_confirmation=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAnswer:
    """The facts of one answer."""

    status: int
    body: str
    kept: str
    """The part that is stored, without secrets."""
    after_seconds: float | None = None
    accepted: bool = False
    """Whether the answer says that the call was carried out."""
    receipt: str | None = None
    """The message's ``ts``."""
    denied: bool = False
    """Whether the body has ``"ok": false``, which also occurs with status 200."""
    is_page: bool = False
    """Whether the body is HTML, which comes from a proxy, a login page or a wrong address."""
    body_lost: FailureReason | None = None
    """The reason why only the head of the answer arrived."""

    @property
    def name(self) -> str:
        """The error's name, e.g. ``channel_is_archived``; empty where the body has none."""
        text = self.body.strip()
        return text if _NAME.fullmatch(text) else ""


def read_answer(answered: Answered, redactor: Redactor, document: Mapping[str, Any] | None = None) -> SlackAnswer:
    """Return the facts of a complete answer.

    Args:
        answered: The answer.
        redactor: Hides the receiver's secrets.
        document: The JSON of a Web API answer, which confirms a post by ``"ok": true``. ``None`` for a webhook: every
            2xx confirms the post, unless the body is HTML or has ``"ok": false``.
    """
    body = answered.body[:ANSWER_BYTES].decode("utf-8", "replace")
    data = _json_of(answered.body) if document is None else document
    facts = data if isinstance(data, Mapping) else NO_FACTS
    name = facts.get("error")
    receipt = facts.get("ts")
    # A string in JSON may hold a page.
    is_page = not data and _HTML.match(body) is not None
    denied = facts.get("ok") is False
    return SlackAnswer(
        status=answered.status,
        # The name in a long answer may lie beyond the cut.
        body=name if isinstance(name, str) else body,
        kept=shortened_answer(answered, redactor),
        after_seconds=requested_pause_seconds(answered) or _pause_in(facts),
        accepted=_is_2xx(answered.status) and not denied and not is_page
        if document is None
        else facts.get("ok") is True and answered.status == HTTPStatus.OK,
        receipt=receipt if isinstance(receipt, str) else None,
        denied=denied,
        is_page=is_page,
    )


def read_status(call: NotSent | MaybeSent, redactor: Redactor, *, confirms: bool) -> SlackAnswer | None:
    """Return the facts of an answer whose body was lost; ``None`` where no status arrived either.

    Args:
        call: The call that failed.
        redactor: Hides the receiver's secrets.
        confirms: Whether a 2xx alone confirms the post.
    """
    if isinstance(call, NotSent) or call.status is None:
        return None
    return SlackAnswer(
        status=call.status,
        body="",
        kept=one_line(f"{call.status} {redactor.clean(call.detail)}", ANSWER_LIMIT),
        accepted=confirms and _is_2xx(call.status),
        body_lost=call.reason,
    )


def _json_of(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_2xx(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _pause_in(document: Mapping[str, Any]) -> float | None:
    requested = document.get("retry_after")
    if isinstance(requested, bool) or not isinstance(requested, int | float) or not requested > 0:
        return None
    return float(min(requested, MAX_RETRY_AFTER_SECONDS))


def classify(answer: SlackAnswer, degrade: int, names: ErrorNames = WEBHOOK, *, mentions: bool = False) -> Outcome:
    """Return the outcome of an answer.

    Args:
        answer: The answer.
        degrade: The steps by which the message was simplified.
        names: The error names of the interface.
        mentions: Whether the route of the message has mentions.
    """
    if answer.accepted:
        return Delivered(answer=answer.kept, receipt=answer.receipt)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.name in RATE_LIMITED:
        pause = answer.after_seconds or PAUSE_SECONDS
        return TryLater(reason=named_reason("rate_limited"), answer=answer.kept, after_seconds=pause, throttled=True)
    mentioned = mentions and has_mention(degrade)
    return _by_name(answer, degrade, names, mentioned=mentioned) or _by_status(answer, names)


def _by_name(answer: SlackAnswer, degrade: int, names: ErrorNames, *, mentioned: bool) -> Outcome | None:
    name = answer.name
    if mentioned and _refuses_mention(name, names):
        reason = Reason(code=ReasonCode.WITHOUT_MENTION, name=name)
        return Degrade(reason=reason, answer=answer.kept, steps=MENTION_STEP)
    if name in names.remedies:
        reason = Reason(code=ReasonCode.NAMED_REFUSED, name=name, remedy=names.remedies[name])
        return Refused(reason=reason, answer=answer.kept)
    if name in names.content or answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _content_refused(answer, degrade, names, mentioned=mentioned)
    if name in names.metadata and has_metadata(degrade):
        return Degrade(reason=named_reason(name), answer=answer.kept, steps=METADATA_STEP)
    if name in names.ours or answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        reason = _by_name_or_status(ReasonCode.WRONG_REQUEST, answer)
        return Refused(reason=reason, answer=answer.kept, scope=RefusalScope.MESSAGE)
    return None


def _refuses_mention(name: str, names: ErrorNames) -> bool:
    return name in names.mention or _MENTION.search(name) is not None


def _content_refused(answer: SlackAnswer, degrade: int, names: ErrorNames, *, mentioned: bool) -> Outcome:
    reason = named_reason(answer.name) if answer.name else http_reason(answer.status)
    if content_step(degrade) < TEXT_ONLY:
        return Degrade(reason=reason, answer=answer.kept)
    if names.metadata and has_metadata(degrade):
        return Degrade(reason=reason, answer=answer.kept, steps=METADATA_STEP)
    if mentioned:
        return Degrade(reason=reason, answer=answer.kept, steps=MENTION_STEP)
    reason = _by_name_or_status(ReasonCode.TEXT_REFUSED, answer)
    return Refused(reason=reason, answer=answer.kept, scope=RefusalScope.MESSAGE)


def _by_status(answer: SlackAnswer, names: ErrorNames) -> Outcome:
    status = answer.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        reason = Reason(code=ReasonCode.REDIRECTED, status=status)
        return Refused(reason=reason, answer=answer.kept, tries=TRIES)
    if answer.name in names.unclear or _may_have_been_posted(answer, names):
        return Uncertain(reason=_reason(answer, names), answer=answer.kept, after_seconds=answer.after_seconds)
    # An unknown refusal: nothing was posted, and a retry may succeed.
    return TryLater(reason=_reason(answer, names), answer=answer.kept, after_seconds=answer.after_seconds)


def _by_name_or_status(code: ReasonCode, answer: SlackAnswer) -> Reason:
    return Reason(code=code, name=answer.name, status=None if answer.name else answer.status)


def _reason(answer: SlackAnswer, names: ErrorNames) -> Reason:
    if answer.name:
        # A word that Slack does not document may be that of any server; the status says more.
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.name not in names.known:
            return Reason(code=ReasonCode.HTTP_NAMED, status=answer.status, name=answer.name)
        return named_reason(answer.name)
    if answer.body_lost is not None:
        return _reason_without_body(answer.status, answer.body_lost)
    if answer.is_page:
        return Reason(code=ReasonCode.HTML_PAGE, status=answer.status)
    return Reason(code=ReasonCode.NOT_OK if answer.denied else ReasonCode.NO_NAME, status=answer.status)


def _reason_without_body(status: int, cause: FailureReason) -> Reason:
    # A success without its body has confirmed nothing, so the lost part is the reason.
    refused = status >= HTTPStatus.BAD_REQUEST
    return http_reason(status) if refused else Reason(code=ReasonCode.NO_ANSWER, cause=cause.value)


def _may_have_been_posted(answer: SlackAnswer, names: ErrorNames) -> bool:
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    refused = answer.denied or (answer.status >= HTTPStatus.BAD_REQUEST and not answer.is_page)
    return names.needs_confirmation and not refused
