"""The names of errors of Slack's Web API, by their consequence for ``chat.postMessage``.

Names: https://docs.slack.dev/reference/methods/chat.postMessage/ and https://docs.slack.dev/reference/methods/chat.update/.
After an unknown name the message is retried; the log and the delivery show the name.
"""

from __future__ import annotations

from typing import Final

from watcher.core.delivery.reason import RefusalRemedy
from watcher.receivers.slack.errors import RESTRICTED, WORKSPACE, ErrorNames

MISSING_SCOPE: Final = "missing_scope"

_MAKE_A_NEW_ONE: Final = RefusalRemedy.NEW_TOKEN
_ADMINISTRATOR: Final = RefusalRemedy.APP_NOT_ADMITTED

DESTINATION: Final = {
    **WORKSPACE,
    **RESTRICTED,
    "channel_not_found": RefusalRemedy.SET_CHANNEL,
    "not_in_channel": RefusalRemedy.INVITE_OR_SCOPE,
    "is_archived": RefusalRemedy.UNARCHIVE,
    "messages_tab_disabled": RefusalRemedy.MESSAGES_TAB,
    "team_not_found": RefusalRemedy.WORKSPACE_GONE,
    "message_limit_exceeded": RefusalRemedy.MESSAGE_LIMIT,
}
"""Errors of the destination; ``message_limit_exceeded`` is as permanent."""

CREDENTIALS: Final = {
    "invalid_auth": _MAKE_A_NEW_ONE,
    "not_authed": _MAKE_A_NEW_ONE,
    "account_inactive": _MAKE_A_NEW_ONE,
    "token_revoked": _MAKE_A_NEW_ONE,
    "token_expired": _MAKE_A_NEW_ONE,
    "not_allowed_token_type": RefusalRemedy.BOT_TOKEN,
    MISSING_SCOPE: RefusalRemedy.SCOPE_AND_TOKEN,
    "no_permission": RefusalRemedy.SCOPE,
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
