"""The account of a subject."""

from __future__ import annotations

import pytest

from watcher.core.subject import NO_ACCOUNT, account_of
from watcher.pipeline.polling.incidents import clock_subject


@pytest.mark.parametrize(
    ("subject", "account"),
    [
        ("account:main", "main"),
        ("service:main/6wxgu1abcde", "main"),
        ("joined service:main/6wxgu1abcde", "main"),
        ("training:my%20team/s/pop/v", "my team"),
        ("watch:main/s/pop/v", "main"),
        ("presence:main/s", "main"),
        (clock_subject("my team"), "my team"),
        ("receiver:ml-ops", NO_ACCOUNT),
        ("watcher:store", NO_ACCOUNT),
    ],
)
def test_each_subject_of_an_account_names_it(subject: str, account: str) -> None:
    assert account_of(subject) == account
