"""Names in paths: each survives the trip through a browser and a proxy, whatever it contains."""

from __future__ import annotations

from urllib.parse import quote, unquote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.web.encoded_paths import name_of, segment, without_base_path

NAMES = st.text(st.sampled_from("~2EeFf7./%\\?#ab "), min_size=1) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1
)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("v1.2", "v1.2"),
        (".", "~2E"),
        ("..", "~2E~2E"),
        ("...", "~2E~2E~2E"),
        ("a/b", "a~2Fb"),
        ("../..", "..~2F.."),
        ("~", "~"),
        ("~2E", "~7E2E"),
        ("~2f", "~7E2f"),
        ("~7E2E", "~7E7E2E"),
        ("a b", "a%20b"),
    ],
)
def test_only_what_does_not_survive_is_escaped(name: str, written: str) -> None:
    assert segment(name) == written
    assert name_of(written) == name


@given(NAMES)
def test_each_name_comes_back_also_where_a_proxy_decodes_and_encodes(name: str) -> None:
    assert name_of(segment(name)) == name
    assert name_of(quote(unquote(segment(name)), safe="")) == name
    assert name_of(segment(name).replace("~", "%7E")) == name


@given(NAMES)
def test_a_browser_resolves_no_name(name: str) -> None:
    path = f"/training/{segment(name)}/x"
    assert unquote(path).count("/") == 3
    assert urljoin("http://a/b", unquote(path).replace("?", "%3F").replace("#", "%23")).count("/") == 5


def test_a_name_that_is_encoded_as_ever_is_read_too() -> None:
    assert (name_of("a%2Fb"), name_of("v~10"), name_of("%2E%2E")) == ("a/b", "v~10", "..")


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/aitems", "/"),
        ("/aitems/", "/"),
        ("/aitems/silences", "/silences"),
        ("/silences", "/silences"),
        ("/aitemsx", "/aitemsx"),
        ("/aitems/aitems", "/aitems"),
        ("/aitems//evil", "//evil"),
    ],
)
def test_the_base_path_is_passed_or_stripped(path: str, local: str) -> None:
    assert without_base_path(path, "/aitems") == local
    assert without_base_path(path, "") == path
