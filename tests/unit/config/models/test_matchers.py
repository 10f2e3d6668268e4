"""Matchers of the command line: the keys and checks of a route's ``match``."""

from __future__ import annotations

import pytest

from watcher.config.models.matchers import MatcherError, matcher, silenced
from watcher.core.event import DEFAULT_KINDS, Kind
from watcher.core.routing.matcher import patterns_of


def test_every_key_of_a_route_is_accepted_with_words_and_patterns() -> None:
    texts = [
        "kind=failed,gone",
        "account=ma*",
        "service=a",
        "service=b?",
        "type=pop",
        "version=v1",
        "status=*Failed",
        "from=l*",
    ]
    assert patterns_of(matcher([*texts, "labels.env=prod"], ["main"])) == {
        "kind": ["failed", "gone"],
        "account": ["ma*"],
        "service": ["a", "b?"],
        "type": ["pop"],
        "version": ["v1"],
        "status": ["*Failed"],
        "from": ["l*"],
        "labels.env": ["prod"],
    }


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("6wxgu1abcde", "is no matcher", "write KEY=WORD"),
        ("service=", "is no matcher", "write KEY=WORD"),
        ("kind=failed,,gone", "is no matcher", "write KEY=WORD"),
        ("servce=a", '"servce" is no key', 'did you mean "service"?'),
        ("labels=prod", '"labels" is no key', "write labels.NAME=WORD"),
        ("labels.=prod", "is no key", "write labels.NAME=WORD"),
        ("kind=faild", 'kind: "faild" is no kind of event', 'did you mean "failed"?'),
        ("type=popp", 'type: "popp" is no type of training', 'did you mean "pop"?'),
        ("account=mian", 'account: "mian" is none of the accounts', 'did you mean "main"?'),
        ("service= a", "service: ", "take them out"),
        ("labels.env=a\tb", "labels.env: ", "take them out"),
    ],
)
def test_a_faulty_matcher_is_rejected_with_its_remedy(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(MatcherError) as refused:
        matcher([text], ["main"])
    assert problem in str(refused.value)
    assert remedy in str(refused.value)


def test_the_name_of_a_watch_is_rejected_with_its_id() -> None:
    ids = {"shop-main": "6wxgu1abcde", "lab": "lab"}
    with pytest.raises(MatcherError, match='"shop-main" is the name of a service; write its id, "6wxgu1abcde"'):
        matcher(["service=shop-main"], [], ids)
    assert patterns_of(matcher(["service=lab"], [], ids)) == {"service": ["lab"]}


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(MatcherError) as refused:
        matcher(["kind=faild", "type=popp"], ["main"])
    assert len(str(refused.value).splitlines()) == 2


def test_a_silence_without_a_kind_matches_every_kind() -> None:
    assert matcher(["service=a"], []).matched_kinds == DEFAULT_KINDS
    assert silenced(matcher(["service=a"], [])).matched_kinds == frozenset(Kind)
    assert silenced(matcher(["kind=failed"], [])).matched_kinds == {"failed"}


@pytest.mark.parametrize("kind", ["receiver-failing", "store-failing", "failed,undelivered"])
def test_a_kind_that_is_never_silenced_is_rejected(kind: str) -> None:
    with pytest.raises(MatcherError, match="is never silenced; take it out"):
        silenced(matcher([f"kind={kind}"], []))
