"""The names of errors of Slack's Web API, by their consequence for ``chat.postMessage``.

Names: https://docs.slack.dev/reference/methods/chat.postMessage/ and https://docs.slack.dev/reference/methods/chat.update/.
After an unknown name the message is retried; the log and the delivery show the name.
"""

from __future__ import annotations

from typing import Final

from watcher.receivers.slack.errors import WORKSPACE, ErrorNames

MISSING_SCOPE: Final = "missing_scope"

_MAKE_A_NEW_ONE: Final = "make a new bot token (app settings, OAuth & Permissions) and store it where token points"
_RESTRICTED: Final = "a setting of the workspace or channel forbids the app to post there; ask an administrator"
_ADMINISTRATOR: Final = "the workspace does not admit the app; ask its administrator"

DESTINATION: Final = {
    **WORKSPACE,
    "channel_not_found": "set channel to the channel's id, e.g. C0123456789; invite the app to a private channel",
    "not_in_channel": "invite the app to the channel, or give it the scope chat:write.public",
    "is_archived": "unarchive the channel, or set channel to another one",
    "restricted_action": _RESTRICTED,
    "restricted_action_read_only_channel": _RESTRICTED,
    "restricted_action_thread_only_channel": "the channel accepts only replies; set channel to another one",
    "restricted_action_non_threadable_channel": _RESTRICTED,
    "messages_tab_disabled": "turn on the app's messages tab (app settings, App Home), or set channel to a channel",
    "team_not_found": "the workspace does not exist any more; make an app in another one and use its token",
    "message_limit_exceeded": "the workspace has reached the message limit of its plan; ask its administrator",
}
"""Errors of the destination; ``message_limit_exceeded`` is as permanent."""

CREDENTIALS: Final = {
    "invalid_auth": _MAKE_A_NEW_ONE,
    "not_authed": _MAKE_A_NEW_ONE,
    "account_inactive": _MAKE_A_NEW_ONE,
    "token_revoked": _MAKE_A_NEW_ONE,
    "token_expired": _MAKE_A_NEW_ONE,
    "not_allowed_token_type": "use the token of a bot, which begins with xoxb-",
    MISSING_SCOPE: "give the app the scope chat:write, install it again, and store its new token where token points",
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
"""Errors of ``conversations.history`` that make a further lookup useless; posting may still work."""
