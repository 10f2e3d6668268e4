"""The English texts of the reasons of attempts and refusals, with their remedies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.messages.language.phrases import Phrase

ENGLISH_REASONS: Final[Mapping[Phrase, str]] = MappingProxyType(
    {
        Phrase.REASON_TEXT: "{detail}",
        Phrase.REASON_DELIVERED: "delivered",
        Phrase.REASON_FOUND: "found",
        Phrase.REASON_NOT_FOUND_ONCE: "not found once",
        Phrase.REASON_NOT_FOUND_TWICE: "not found twice",
        Phrase.REASON_TO_BE_LOOKED_UP: "to be looked up",
        Phrase.REASON_MAY_BE_REPEAT: "may-be-repeat",
        Phrase.REASON_NEVER_ATTEMPTED: "never attempted",
        Phrase.REASON_RECEIVER_REMOVED: "receiver-removed",
        Phrase.REASON_RETRIED: "retried by hand",
        Phrase.RETRIED_BY: "retried by {name}",
        Phrase.REASON_DROPPED: "dropped by {name}",
        Phrase.REASON_INTERNAL_FAULT: "internal-fault",
        Phrase.REASON_NOT_RENDERED: "the message could not be rendered; see event.render_failed in the log",
        Phrase.REASON_HTTP: "http {status}",
        Phrase.REASON_HTTP_NAMED: "http {status}: {name}",
        Phrase.REASON_HTTP_REFUSED: "http {status}: {remedy}",
        Phrase.REASON_BODY_REFUSED: "http {status}: the consumer rejects this body",
        Phrase.REASON_REDIRECTED: "http {status}: {remedy}",
        Phrase.REASON_NO_ANSWER: "no answer: {cause}",
        Phrase.NO_ANSWER_BECAUSE: "no answer: {cause} ({detail})",
        Phrase.REASON_NOT_SENT: "not sent: {cause}",
        Phrase.NOT_SENT_BECAUSE: "not sent: {cause} ({detail})",
        Phrase.REASON_REQUEST_INVALID: "not sent: {cause}; {remedy}",
        Phrase.REASON_ADDRESS_REFUSED: "not sent: {cause}: {detail}; {remedy}",
        Phrase.REASON_PROXY_REFUSED: "not sent: {detail}",
        Phrase.REASON_SECRET_UNUSABLE: "a secret cannot be read or used: {detail}",
        Phrase.REASON_ADDRESS_INVALID: "the address is invalid: {detail}",
        Phrase.REASON_STREAM_CLOSED: "the stream is closed",
        Phrase.REASON_STREAM_UNWRITABLE: "the stream cannot be written: {detail}",
        Phrase.REASON_NAMED: "{name}",
        Phrase.REASON_NAMED_REFUSED: "{name}: {remedy}",
        Phrase.REASON_SCOPE_MISSING: "{name}: {remedy}",
        Phrase.REASON_WITHOUT_MENTION: "{name}: sent again without the mention",
        Phrase.REASON_WRONG_REQUEST: "{name}: the watcher sent a wrong request",
        Phrase.REASON_TEXT_REFUSED: "{name}: Slack rejects text alone too",
        Phrase.REASON_HTML_PAGE: "http {status} with a page of HTML instead of an answer of Slack; {remedy}",
        Phrase.CAUSE_HTML_PAGE: "http {status} with a page of HTML instead of an answer of Slack",
        Phrase.REASON_NOT_OK: 'http {status} with "ok": false and no error name of Slack',
        Phrase.REASON_NO_NAME: "http {status} without an error name of Slack",
        Phrase.REASON_HISTORY_TOO_LONG: "the history is too long",
        Phrase.REASON_UNREADABLE: "unreadable",
        Phrase.CONTEXT_EXPIRED: "expired: {reason}",
        Phrase.CONTEXT_LOOKUP_FAILED: "lookup failed: {reason}",
        Phrase.CONTEXT_LOOKUP_DENIED: "lookup not allowed: {reason}",
        Phrase.CONTEXT_RECEIVER_FAILING: "receiver failing: {reason}",
        Phrase.REFUSAL_FIX_HEADERS: "correct the receiver's headers or secret",
        Phrase.REFUSAL_RECEIVER_GONE: "the consumer wants no more deliveries; remove the receiver, or set its new url",
        Phrase.REFUSAL_SET_FINAL_URL: "redirects are not followed; set url to the final address",
        Phrase.FIX_REQUEST: "check url and headers",
        Phrase.FIX_HOST: "set url to another host",
        Phrase.FIX_PROXY: "check url and any proxy",
        Phrase.FIX_SCOPE: "give the app the scope {scope}, and install it again",
        Phrase.REFUSAL_CHECK_URL: "the address does not accept such a request; check url",
        Phrase.REFUSAL_NEW_WEBHOOK: "make a new incoming webhook and set url to its address",
        Phrase.REFUSAL_WEBHOOK_CHANNEL_GONE: "the channel does not exist any more; make a webhook for another one",
        Phrase.REFUSAL_WEBHOOK_UNARCHIVE: "unarchive the channel, or make a webhook for another one",
        Phrase.REFUSAL_WEBHOOK_RESTRICTED: (
            "an administrator of the workspace has restricted this webhook; ask the administrator"
        ),
        Phrase.REFUSAL_WEBHOOK_GENERAL: "this webhook may not post to #general; make one for another channel",
        Phrase.REFUSAL_WEBHOOK_PERSON_GONE: "its person does not exist any more; make a webhook for another one",
        Phrase.REFUSAL_WEBHOOK_TEAM_GONE: "the workspace does not exist any more; set url to another address",
        Phrase.REFUSAL_WORKSPACE_DISABLED: "the workspace is disabled; ask its administrator",
        Phrase.REFUSAL_WORKSPACE_ACCESS: "the app has no access to the workspace; ask its administrator to grant it",
        Phrase.REFUSAL_WORKSPACE_FREE_PLAN: "the workspace's free plan does not allow this; ask its administrator",
        Phrase.REFUSAL_WORKSPACE_PLAN: "the workspace's plan does not allow this; ask its administrator",
        Phrase.REFUSAL_APP_USER_RESTRICTED: "the workspace restricts the app's user; ask its administrator",
        Phrase.REFUSAL_CHANNEL_TYPE: "the app cannot post to a channel of this type; set another channel",
        Phrase.REFUSAL_SET_CHANNEL: (
            "set channel to the channel's id, e.g. C0123456789; invite the app to a private channel"
        ),
        Phrase.REFUSAL_INVITE_OR_SCOPE: "invite the app to the channel, or give it the scope chat:write.public",
        Phrase.REFUSAL_INVITE: "invite the app to the channel",
        Phrase.REFUSAL_UNARCHIVE: "unarchive the channel, or set channel to another one",
        Phrase.REFUSAL_POSTING_RESTRICTED: (
            "a setting of the workspace or channel forbids the app to post there; ask an administrator"
        ),
        Phrase.REFUSAL_ONLY_REPLIES: "the channel accepts only replies; set channel to another one",
        Phrase.REFUSAL_MESSAGES_TAB: (
            "turn on the app's messages tab (app settings, App Home), or set channel to a channel"
        ),
        Phrase.REFUSAL_WORKSPACE_GONE: (
            "the workspace does not exist any more; make an app in another one and use its token"
        ),
        Phrase.REFUSAL_MESSAGE_LIMIT: "the workspace has reached the message limit of its plan; ask its administrator",
        Phrase.REFUSAL_NEW_TOKEN: (
            "make a new bot token (app settings, OAuth & Permissions) and store it where token points"
        ),
        Phrase.REFUSAL_BOT_TOKEN: "use the token of a bot, which begins with xoxb-",
        Phrase.REFUSAL_SCOPE_AND_TOKEN: (
            "give the app the scope chat:write, install it again, and store its new token where token points"
        ),
        Phrase.REFUSAL_SCOPE: "give the app the scope chat:write and install it again",
        Phrase.REFUSAL_APP_NOT_ADMITTED: "the workspace does not admit the app; ask its administrator",
    }
)
