"""Values that are secrets, or may be; no message here holds a value."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from watcher.config.faults import invalid
from watcher.config.models.fields import absolute_path, checked_url
from watcher.config.models.urls import is_slack_hook, receiver_url_problem
from watcher.config.secrets import VARIABLE_NAME, SecretKind, SecretRef


def secret_reference(value: Mapping[str, object], example: str, info: ValidationInfo) -> SecretRef:
    """Read ``{ env = … }``, ``{ file = … }`` or ``{ credential = … }``; the remedies name ``example``."""
    remedy = f'write {{ env = "{example}" }}, {{ file = "/path" }} or {{ credential = "name" }}'
    if len(value) != 1:
        raise invalid("a secret is given in exactly one way", remedy)
    [(kind, name)] = value.items()
    if kind not in set(SecretKind):
        raise invalid("has another key than env, file or credential", remedy)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise invalid(f"{kind} names nothing", remedy)
    return _named(SecretKind(kind), name, remedy, info)


def _named(kind: SecretKind, name: str, remedy: str, info: ValidationInfo) -> SecretRef:
    match kind:
        case SecretKind.ENV if not VARIABLE_NAME.fullmatch(name):
            raise invalid("env does not hold the name of a variable", remedy)
        case SecretKind.CREDENTIAL if "/" in name or name in {".", ".."}:
            raise invalid("credential does not hold the name of a credential", remedy)
        case SecretKind.FILE:
            return SecretRef(kind, str(absolute_path(name, info)))
    return SecretRef(kind, name)


def secret_from(example: str) -> BeforeValidator:
    """Return the validator of a secret; its remedies name the variable ``example``."""

    def check(value: object, info: ValidationInfo) -> object:
        match value:
            case SecretRef():
                return value
            case dict():
                return secret_reference(value, example, info)
            case str():
                problem = "a secret stands in the file itself"
            case _:
                problem = "is no reference to a secret"
        raise invalid(problem, f'write {{ env = "{example}" }} and put the secret there')

    return BeforeValidator(check)


def _url_or_secret(value: object, info: ValidationInfo) -> object:
    match value:
        case dict():
            return secret_reference(value, "WEBHOOK_URL", info)
        case str() if is_slack_hook(value):
            raise invalid(
                "is a Slack webhook, whose URL is a secret",
                'write kind = "slack-webhook" and url = { env = "SLACK_WEBHOOK_URL" }',
            )
        case str():
            return checked_url(receiver_url_problem)(value)
        case SecretRef():
            return value
    raise invalid("is no URL", 'write it in quotes, or { env = "WEBHOOK_URL" } where it is a secret')


WebhookUrl = Annotated[str | SecretRef, BeforeValidator(_url_or_secret)]
