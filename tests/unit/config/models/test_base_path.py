"""The key ``base_path`` of ``[web]``: plain parts below which a proxy has the watcher."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher import config
from watcher.config import ConfigError
from watcher.config.models.monitoring import OWN_PATHS

START = """
[account.a]
access_key = { env = "A" }
secret_key = { env = "B" }
[receiver.r]
kind = "log"
[[watch]]
service = "s"
[web]
token = { env = "WEB_TOKEN" }
base_path = """


def loaded(text: str) -> str:
    return config.load(Path("config.toml"), text=f'{START}"{text}"').web.base_path


@pytest.mark.parametrize("text", ["", "/aitems", "/tools/aitems-2.0_~x", "/tools/service"])
def test_plain_parts_are_taken(text: str) -> None:
    assert loaded(text) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aitems", "does not begin with one slash and end without one"),
        ("/aitems/", "does not begin with one slash and end without one"),
        ("/", "does not begin with one slash and end without one"),
        ("//evil.example", "does not begin with one slash and end without one"),
        ("/a//b", 'has the part ""'),
        ("/a/../b", 'has the part ".."'),
        ("/a/.", 'has the part "."'),
        ("/a?b", 'has the part "a?b"'),
        ("/a#b", 'has the part "a#b"'),
        ("/a%2Fb", 'has the part "a%2Fb"'),
        ("/a b", 'has the part "a b"'),
        ("/a;b", 'has the part "a;b"'),
        ("/\u0623", "has the part"),
        ("https://watch.example/aitems", "does not begin with one slash"),
        ("/service", "begins with a path of the watcher itself, /service"),
        ("/api/aitems", "begins with a path of the watcher itself, /api"),
    ],
)
def test_any_other_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)
    message = str(refused.value)
    assert "config.toml:11: web.base_path:" in message
    assert problem in message
    assert 'write it as "/aitems"' in message


def test_the_paths_of_the_watcher_itself_are_known() -> None:
    from watcher.web.html.routes import PageRoutes  # noqa: PLC0415 - the only test here with the web server
    from watcher.web.pages import OPEN_PATHS  # noqa: PLC0415 - as above

    source = Path(PageRoutes.routes.__code__.co_filename).read_text()
    paths = {line.split('"')[1] for line in source.splitlines() if line.strip().startswith('"/')}
    assert {path.split("/")[1] for path in (*paths, *OPEN_PATHS, "/api/", "/metrics", "/readyz")} - {""} == OWN_PATHS
