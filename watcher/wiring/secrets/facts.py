"""Whether the secrets of a configuration can be read here, for ``doctor``."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from watcher.config import Config, SecretError, SecretKind, SecretRef
from watcher.config.references import secrets_of
from watcher.config.secrets import CREDENTIALS_DIRECTORY
from watcher.core.secret import Secret, hint
from watcher.reports.doctor import SecretFacts
from watcher.store.sqlite.owner import Owner, may_read


def secret_facts(
    config: Config, resolve: Callable[[SecretRef], Secret], user: Owner | None = None
) -> list[SecretFacts]:
    """Read every secret that the configuration names; the facts show none.

    Args:
        config: names the secrets.
        resolve: reads one.
        user: the daemon's user, where another user runs this.
    """
    return [_facts(key, ref, resolve, user) for key, ref in secrets_of(config)]


def _facts(key: str, ref: SecretRef, resolve: Callable[[SecretRef], Secret], user: Owner | None) -> SecretFacts:
    facts = SecretFacts(key=key, source=f"{ref}")
    try:
        facts = replace(facts, hint=hint(resolve(ref)))
    except SecretError as error:
        is_elsewhere = ref.kind is SecretKind.CREDENTIAL and CREDENTIALS_DIRECTORY not in os.environ
        return replace(facts, error=f"{error}", only_in_unit=is_elsewhere)
    if ref.kind is not SecretKind.FILE:
        return facts
    path = Path(ref.name)
    closed_to = None if user is None or may_read(path, user) else user.uid
    return replace(facts, file=ref.name, mode=stat.S_IMODE(path.stat().st_mode), closed_to=closed_to)
