"""The names of errors of Slack's Web API, by what follows from them for ``chat.postMessage``.

ErrorNames: https://docs.slack.dev/reference/methods/chat.postMessage/ and https://docs.slack.dev/reference/methods/chat.update/.
A name that stands nowhere here is tried again, and its word is in the log and with the delivery.
"""

from __future__ import annotations

from typing import Final

from watcher.receivers.slack.errors import CONTENT, ErrorNames

MISSING_SCOPE: Final = "missing_scope"

_ANOTHER: Final = "make a new bot token (app settings, OAuth & Permissions) and put it where token says"
_RESTRICTED: Final = "a setting of the workspace or the channel keeps the app from posting there; ask an administrator"
_ADMINISTRATOR: Final = "the workspace does not let the app in; ask its administrator"

DESTINATION: Final = {
    "channel_not_found": "give the channel's id as channel, e.g. C0123456789, and invite the app where it is private",
    "not_in_channel": "invite the app to the channel, or give it the scope chat:write.public",
    "is_archived": "unarchive the channel, or give another one as channel",
    "restricted_action": _RESTRICTED,
    "restricted_action_read_only_channel": _RESTRICTED,
    "restricted_action_thread_only_channel": "the channel takes replies only; give another one as channel",
    "restricted_action_non_threadable_channel": _RESTRICTED,
    "messages_tab_disabled": "turn the app's messages tab on (app settings, App Home), or give a channel",
    "team_not_found": "the workspace is gone; make an app in another one and give its token",
    "message_limit_exceeded": "the workspace takes no more messages in its plan; ask its administrator",
}
"""Where the message goes is wrong; ``message_limit_exceeded`` is as lasting."""

CREDENTIALS: Final = {
    "invalid_auth": _ANOTHER,
    "not_authed": _ANOTHER,
    "account_inactive": _ANOTHER,
    "token_revoked": _ANOTHER,
    "token_expired": _ANOTHER,
    "not_allowed_token_type": "give the token of a bot, which begins with xoxb-",
    MISSING_SCOPE: "give the app the scope chat:write, install it again, and put its new token where token says",
    "no_permission": "give the app the scope chat:write and install it again",
    "app_access_restricted": _ADMINISTRATOR,
    "ekm_access_denied": _ADMINISTRATOR,
    "access_denied": _ADMINISTRATOR,
    "accesslimited": _ADMINISTRATOR,
    "two_factor_setup_required": _ADMINISTRATOR,
    "enterprise_is_restricted": _ADMINISTRATOR,
}

WEB_API: Final = ErrorNames(
    unclear=frozenset(
        {
            "internal_error",
            "fatal_error",
            "service_unavailable",
            "request_timeout",
            "team_added_to_org",
            "org_login_required",
            "external_channel_migrating",
            "update_failed",
        }
    ),
    content=CONTENT | {"attachment_payload_limit_exceeded", "markdown_text_conflict"},
    metadata=frozenset(
        {
            "invalid_metadata_format",
            "invalid_metadata_schema",
            "metadata_too_large",
            "metadata_must_be_sent_from_app",
        }
    ),
    target_gone=frozenset(
        {
            "message_not_found",
            "cant_update_message",
            "edit_window_closed",
            "is_inactive",
            "block_mismatch",
            "cannot_reply_to_message",
            "restricted_action_thread_locked",
        }
    ),
    remedies=DESTINATION | CREDENTIALS,
    ours=frozenset(
        {
            "invalid_arg_name",
            "invalid_array_arg",
            "invalid_charset",
            "invalid_form_data",
            "invalid_post_type",
            "missing_post_type",
            "unknown_method",
            "method_deprecated",
            "deprecated_endpoint",
        }
    ),
)

UNREADABLE_HISTORY: Final = frozenset(
    {
        MISSING_SCOPE,
        "not_in_channel",
        "no_permission",
        "not_allowed_token_type",
        "method_not_supported_for_channel_type",
    }
)
"""Answers of ``conversations.history`` after which asking again is of no use, while posting may well work."""
