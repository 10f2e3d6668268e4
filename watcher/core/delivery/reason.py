"""Why an attempt, a lookup or a delivery ended as it did: a code with parameters, stored and shown as text.

A reason without parameters is stored as its code, any other one as compact JSON. Versions before the codes stored a
text, which is kept as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final


class ReasonCode(StrEnum):
    """The reasons why an attempt, a lookup or a delivery ended; ``core.messages`` has a phrase for each."""

    TEXT = "text"
    """``detail`` is the text that an older version stored, or the id of a silence."""

    DELIVERED = "delivered"
    FOUND = "found"
    NOT_FOUND_ONCE = "not-found-once"
    NOT_FOUND_TWICE = "not-found-twice"
    TO_BE_LOOKED_UP = "to-be-looked-up"
    MAY_BE_REPEAT = "may-be-repeat"
    NEVER_ATTEMPTED = "never-attempted"
    RECEIVER_REMOVED = "receiver-removed"
    """The receiver is no longer configured."""
    RETRIED = "retried-by-hand"
    """``name`` retried it, where that is known."""
    DROPPED = "dropped"
    """``name`` dropped it."""
    INTERNAL_FAULT = "internal-fault"
    NOT_RENDERED = "not-rendered"

    HTTP = "http"
    """``status`` alone."""
    HTTP_NAMED = "http-named"
    """``status``, with a ``name`` that the watcher does not know."""
    HTTP_REFUSED = "http-refused"
    """``status``, with a ``remedy``."""
    BODY_REFUSED = "body-refused"
    REDIRECTED = "redirected"
    NO_ANSWER = "no-answer"
    """``cause`` is that of the HTTP client."""
    NOT_SENT = "not-sent"
    REQUEST_INVALID = "request-invalid"
    ADDRESS_REFUSED = "address-refused"
    PROXY_REFUSED = "proxy-refused"
    SECRET_UNUSABLE = "secret-unusable"  # noqa: S105 - a code
    ADDRESS_INVALID = "address-invalid"
    STREAM_CLOSED = "stream-closed"
    STREAM_UNWRITABLE = "stream-unwritable"

    NAMED = "named"
    """``name`` is the receiver's own name of the error."""
    NAMED_REFUSED = "named-refused"
    """``name``, with a ``remedy``."""
    SCOPE_MISSING = "scope-missing"
    """``detail`` is the scope that Slack names."""
    WITHOUT_MENTION = "without-mention"
    WRONG_REQUEST = "wrong-request"
    TEXT_REFUSED = "text-refused"
    HTML_PAGE = "html-page"
    NOT_OK = "not-ok"
    NO_NAME = "no-name"
    HISTORY_TOO_LONG = "history-too-long"
    UNREADABLE = "unreadable"


class Context(StrEnum):
    """The step in which a reason arose, where that is not the attempt itself."""

    EXPIRED = "expired"
    LOOKUP_FAILED = "lookup-failed"
    LOOKUP_DENIED = "lookup-denied"
    RECEIVER_FAILING = "receiver-failing"
    """The delivery waits, for this reason of its receiver; shown and not stored."""


class RefusalRemedy(StrEnum):
    """The remedy of a refusal that its answer shows."""

    FIX_HEADERS = "fix-headers"
    RECEIVER_GONE = "receiver-gone"
    SET_FINAL_URL = "set-final-url"
    CHECK_URL = "check-url"

    NEW_WEBHOOK = "new-webhook"
    WEBHOOK_CHANNEL_GONE = "webhook-channel-gone"
    WEBHOOK_UNARCHIVE = "webhook-unarchive"
    WEBHOOK_RESTRICTED = "webhook-restricted"
    WEBHOOK_GENERAL = "webhook-general"
    WEBHOOK_PERSON_GONE = "webhook-person-gone"
    WEBHOOK_TEAM_GONE = "webhook-team-gone"
    WORKSPACE_DISABLED = "workspace-disabled"

    WORKSPACE_ACCESS = "workspace-access"
    WORKSPACE_FREE_PLAN = "workspace-free-plan"
    WORKSPACE_PLAN = "workspace-plan"
    APP_USER_RESTRICTED = "app-user-restricted"
    CHANNEL_TYPE = "channel-type"

    SET_CHANNEL = "set-channel"
    INVITE_OR_SCOPE = "invite-or-scope"
    INVITE = "invite"
    UNARCHIVE = "unarchive"
    POSTING_RESTRICTED = "posting-restricted"
    ONLY_REPLIES = "only-replies"
    MESSAGES_TAB = "messages-tab"
    WORKSPACE_GONE = "workspace-gone"
    MESSAGE_LIMIT = "message-limit"
    NEW_TOKEN = "new-token"  # noqa: S105 - a code
    BOT_TOKEN = "bot-token"  # noqa: S105 - a code
    SCOPE_AND_TOKEN = "scope-and-token"  # noqa: S105 - a code
    SCOPE = "scope"
    APP_NOT_ADMITTED = "app-not-admitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A code, with the parameters that it needs."""

    code: ReasonCode
    status: int | None = None
    """The HTTP status of the answer."""
    name: str = ""
    """The receiver's own name of the error, or the operator who acted."""
    cause: str = ""
    """The code of a failed call, e.g. ``dns``."""
    detail: str = ""
    """One line from the system, a library or the configuration, without secrets."""
    remedy: RefusalRemedy | None = None
    within: tuple[Context, ...] = ()
    """The outermost step first."""


NO_REASON: Final = Reason(code=ReasonCode.TEXT)
"""Nothing has happened yet."""
DELIVERED: Final = Reason(code=ReasonCode.DELIVERED)
RECEIVER_REMOVED: Final = Reason(code=ReasonCode.RECEIVER_REMOVED)
"""The reason of a receiver that is no longer configured although deliveries wait for it."""
INTERNAL_FAULT: Final = Reason(code=ReasonCode.INTERNAL_FAULT)


REFUSALS: Final = frozenset(
    {
        ReasonCode.HTTP_REFUSED,
        ReasonCode.REDIRECTED,
        ReasonCode.ADDRESS_REFUSED,
        ReasonCode.ADDRESS_INVALID,
        ReasonCode.PROXY_REFUSED,
        ReasonCode.REQUEST_INVALID,
        ReasonCode.SECRET_UNUSABLE,
        ReasonCode.STREAM_CLOSED,
        ReasonCode.NAMED_REFUSED,
    }
)
"""Codes of an attempt that the receiver refused, or that its destination or credentials make impossible."""


WITH_CONNECTION: Final = frozenset({ReasonCode.NOT_SENT, ReasonCode.NO_ANSWER})
"""Codes of a call without an answer: their cause is a code, and a detail says what has failed."""


def is_refusal(reason: Reason) -> bool:
    """Say whether a reason is that of an attempt that the receiver refused, and not of a lookup or of the age."""
    return reason.code in REFUSALS and not reason.within


def http_reason(status: int) -> Reason:
    """Return the reason of an HTTP status that says enough by itself."""
    return Reason(code=ReasonCode.HTTP, status=status)


def named_reason(name: str) -> Reason:
    """Return the reason of an error that the receiver names."""
    return Reason(code=ReasonCode.NAMED, name=name)


def text_reason(text: str) -> Reason:
    """Return the reason of which only a text is known."""
    return Reason(code=ReasonCode.TEXT, detail=text)


def in_context(context: Context, reason: Reason) -> Reason:
    """Return a reason that arose in a step."""
    return replace(reason, within=(context, *reason.within))


def reason_json(reason: Reason) -> dict[str, object]:
    """Return a reason as plain JSON: its code, and the parameters that it has."""
    fields = {
        "code": reason.code.value,
        "status": reason.status,
        "name": reason.name,
        "cause": reason.cause,
        "detail": reason.detail,
        "remedy": None if reason.remedy is None else reason.remedy.value,
        "within": [context.value for context in reason.within],
    }
    return {key: value for key, value in fields.items() if value not in (None, "", [])}


def reason_from_json(data: Mapping[str, Any] | str) -> Reason:
    """Read a reason that ``reason_json`` wrote, or the text that an older version stored."""
    if isinstance(data, str):
        return _from_text(data)
    remedy = data.get("remedy")
    return Reason(
        code=ReasonCode(data["code"]),
        status=data.get("status"),
        name=data.get("name", ""),
        cause=data.get("cause", ""),
        detail=data.get("detail", ""),
        remedy=None if remedy is None else RefusalRemedy(remedy),
        within=tuple(Context(context) for context in data.get("within", ())),
    )


def write_reason(reason: Reason) -> str:
    """Return the column of the store that holds a reason."""
    if reason == text_reason(reason.detail):
        return reason.detail
    if reason.code in _WITHOUT_PARAMETERS and reason == Reason(code=reason.code):
        return reason.code.value
    return json.dumps(reason_json(reason), ensure_ascii=False, separators=(",", ":"))


def read_reason(column: str) -> Reason:
    """Read a column that ``write_reason`` or an older version wrote."""
    try:
        data = json.loads(column) if column.startswith('{"code":') else column
        return reason_from_json(data)
    except ValueError:
        # A text of an older version, or a code of a newer one.
        return text_reason(column)


def _from_text(text: str) -> Reason:
    known = text in _WITHOUT_PARAMETERS
    return Reason(code=ReasonCode(text)) if known else text_reason(text)


_WITHOUT_PARAMETERS: Final = frozenset(
    {
        ReasonCode.DELIVERED,
        ReasonCode.FOUND,
        ReasonCode.NOT_FOUND_ONCE,
        ReasonCode.NOT_FOUND_TWICE,
        ReasonCode.TO_BE_LOOKED_UP,
        ReasonCode.MAY_BE_REPEAT,
        ReasonCode.NEVER_ATTEMPTED,
        ReasonCode.RECEIVER_REMOVED,
        ReasonCode.RETRIED,
        ReasonCode.INTERNAL_FAULT,
        ReasonCode.NOT_RENDERED,
        ReasonCode.STREAM_CLOSED,
        ReasonCode.HISTORY_TOO_LONG,
        ReasonCode.UNREADABLE,
    }
)
