"""Where signing in leads: back to the page, and never to another site or another path of this one."""

from __future__ import annotations

import pytest

from watcher.web.html.local_path import local_path

HOSTILE = [
    *("//evil.example", "/\\evil.example", "https://evil.example/", "evil", "/a\nb", "", "//[", "\t//[", "?a", "#a"),
    *("/a\\..\\..", "/../other", "/a/../../other", "/a/%2e%2E/b", "/.%2e/other", "/..", "/.", "/..?a", "/..#a"),
]


@pytest.mark.parametrize("base_path", ["", "/aitems"])
@pytest.mark.parametrize("text", HOSTILE)
def test_signing_in_leads_to_no_other_place(text: str, base_path: str) -> None:
    assert local_path(text, base_path) == "/"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.startswith("/")])
def test_nor_with_the_base_path_in_front(text: str) -> None:
    assert local_path(f"/aitems{text}", "/aitems") == "/"


def test_signing_in_leads_back_to_the_page() -> None:
    assert local_path("/service/main/x?label=a%3Db") == "/service/main/x?label=a%3Db"
    assert local_path("/silences?match=a\\b#x") == "/silences?match=a\\b#x"


@pytest.mark.parametrize(
    ("text", "local"), [("/aitems/silences?a=b", "/silences?a=b"), ("/aitems?a", "/?a"), ("/silences", "/silences")]
)
def test_the_base_path_may_be_there_or_not(text: str, local: str) -> None:
    assert local_path(text, "/aitems") == local
