"""The hint about the likely mistake in a secret."""

from __future__ import annotations

import pytest

from watcher.core.secret import Secret, hint, revealed

QUOTED, ASSIGNED = (
    "is in quotes, which count as part of it: remove them",
    "looks like NAME=VALUE: leave only the value there",
)


@pytest.mark.parametrize("text", ['"s3cret"', "'s3cret'", "`s3cret`", "\u201cs3cret\u201d", "\u2018s3cret\u2019", '""'])
def test_quotes_around_a_secret_are_named(text: str) -> None:
    assert hint(Secret(text)) == QUOTED


@pytest.mark.parametrize(
    "text",
    [
        "NCP_SECRET_KEY=s3cret",
        "ncp_secret_key=s3cret",
        "export NCP_SECRET_KEY=s3cret",
        "NCP_SECRET_KEY = s3cret",
        'NCP_SECRET_KEY="s3cret"',
        "SLACK_URL=https://hooks.example/services/T0/B0/x",
        "KEY=c2VjcmV0==",
    ],
)
def test_a_name_before_a_secret_is_named(text: str) -> None:
    assert hint(Secret(text)) == ASSIGNED


@pytest.mark.parametrize(
    "text",
    [
        "EXAMPLESECRETKEY00000000000000000000000001",
        "c2VjcmV0=",
        "c2VjcmV0==",
        "whsec_c2VjcmV0=",
        "whsec_c2VjcmV0= whsec_YW5vdGhlcg==",
        "xoxb-1-2-abc",
        "https://hooks.example/x?token=abc",
        "Bearer s3cret",
        "pass=",
        '"',
        '"half',
        "it's",
    ],
)
def test_a_usual_secret_gets_no_hint(text: str) -> None:
    assert hint(Secret(text)) == ""


def test_a_hint_does_not_hold_the_secret() -> None:
    assert not any("s3cret" in hint(Secret(text)) for text in ("'s3cret'", "KEY=s3cret", "export s3cret=x"))


@pytest.mark.parametrize("value", ["text", Secret("text")], ids=["text", "secret"])
def test_a_text_that_may_be_a_secret_is_revealed(value: str | Secret) -> None:
    assert revealed(value) == "text"
