"""The account of a subject."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from watcher.core.subject import NO_ACCOUNT, account_of
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.incidents.subjects import clock_subject


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


@pytest.mark.parametrize("name", ["v1", "maqll0abcde", "a b", "a/b", "50%", "a-b_c.d~e", "a:b", "훈련", "ⅷ²", "é", ""])
def test_a_subject_quotes_each_name_and_is_read_back(name: str) -> None:
    ref = TrainingRef("main", name, "pop", f"{name}1")

    assert ref.subject == f"training:main/{quote(name, safe='')}/pop/{quote(name, safe='')}1"
    assert TrainingRef.from_subject(ref.subject) == ref
