"""The usable part of a faulty configuration, for commands beside a daemon that still runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from watcher.config import Config, ConfigError
from watcher.config.usable_part import load_usable

GOOD = """\
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }

[state]
url = "sqlite:///here.db"

[[watch]]
service = "first"

[[watch]]
service = "second"

[receiver.one]
kind = "log"

[receiver.two]
kind = "log"

[[route]]
to = ["one"]
match = { kind = "failed" }

[[route]]
to = ["two"]
"""
FAULTY = {
    "a text that is not closed": GOOD.replace('"first"', '"first'),
    "a text over several lines that is not closed": GOOD + 'mention = """',
    "a table twice": GOOD + "[state]\n",
    "no TOML above": "<<<<<<< HEAD\n" + GOOD,
    "an unknown section": GOOD + "[surprise]\n",
    "an unknown kind": GOOD.replace('kind = "log"', 'kind = "pigeon"', 1),
    "a key of a wrong type": GOOD.replace("[state]", "[state]\nkeep_history = 3"),
    "a misspelt key": GOOD.replace("access_key", "acess_key"),
    "a route to nobody": GOOD + '[[route]]\nto = ["three"]\n',
    "a key that another one needs is missing": GOOD + '[web]\nlisten = "0.0.0.0:80"\n',
    "a web page at a host name": GOOD + '[web]\nlisten = "x127.0.0.1:42635"\n',
    "a key above a table": GOOD.replace("[state]", '[delivery]\nfirst_retry = "1d"\nmax_retry = "1s"\n[state]'),
    "a watch twice": GOOD + '[[watch]]\nservice = "second"\n',
}

MANY = "".join(f'[[watch]]\nservice = "s{index}"\n\n' for index in range(200))
FAULTY_WITH_MANY = {
    "a list that is not closed below": GOOD + MANY + "[receiver.three]\nto = [\n",
    "a list that is not closed above": GOOD + "[receiver.three]\nto = [\n" + MANY,
    "a text over several lines that is not closed above": GOOD + '[receiver.three]\nto = """\n' + MANY,
    "a text that is not closed between": GOOD + MANY + '[receiver.three]\nkind = "log\n' + MANY.replace('"s', '"t'),
    "a table twice below": GOOD + MANY + "[state]\n",
    "a table twice above": GOOD + "[state]\n" + MANY,
}


def usable(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    config, error = load_usable(path)
    assert (error is None) == (text == GOOD)
    return config


@pytest.mark.parametrize("fault", sorted(FAULTY))
def test_a_fault_does_not_hide_the_store(tmp_path: Path, fault: str) -> None:
    config = usable(tmp_path, FAULTY[fault])
    assert config.store_path({}) == tmp_path / "here.db"
    assert "second" in {watch.service for watch in config.watches}
    assert "two" in config.receivers


def lengths_parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of the lengths of the texts that are parsed from now on."""
    lengths, parse = list[int](), tomllib.loads

    def count(text: str) -> dict[str, Any]:
        lengths.append(len(text))
        return parse(text)

    monkeypatch.setattr(tomllib, "loads", count)
    return lengths


@pytest.mark.parametrize("fault", sorted(FAULTY_WITH_MANY))
def test_a_fault_among_many_tables_costs_few_parses_and_no_other_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    text, parsed = FAULTY_WITH_MANY[fault], lengths_parsed(monkeypatch)
    config = usable(tmp_path, text)
    assert len(config.watches) == text.count("[[watch]]")
    assert "two" in config.receivers
    assert sum(parsed) <= 6 * len(text)


def test_each_table_that_occurs_twice_costs_one_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, parsed = GOOD + MANY + "[state]\n" * 5, lengths_parsed(monkeypatch)
    assert usable(tmp_path, text).store_path({}) == tmp_path / "here.db"
    assert sum(parsed) <= (4 + 5) * len(text)


def test_a_faultless_file_is_whole(tmp_path: Path) -> None:
    config = usable(tmp_path, GOOD)
    assert (len(config.watches), len(config.receivers), len(config.routes)) == (2, 2, 2)


@pytest.mark.parametrize("text", ["", "\x00\x01", "account = 3\nwatch = [1]\n", "[" * 2000], ids=repr)
def test_a_file_without_a_usable_part_names_the_default_store(tmp_path: Path, text: str) -> None:
    config = usable(tmp_path, text)
    assert config.store_path({"STATE_DIRECTORY": "/var/lib/x"}) == Path("/var/lib/x/watcher.db")


def test_a_file_that_cannot_be_read_names_the_default_store(tmp_path: Path) -> None:
    config, error = load_usable(tmp_path)
    assert "cannot be read: Is a directory" in str(error)
    assert config.store_path({"STATE_DIRECTORY": "/var/lib/x"}) == Path("/var/lib/x/watcher.db")


@pytest.mark.parametrize("encoding", ["latin-1", "cp949"])
def test_text_that_is_not_utf_8_hides_neither_the_store_nor_the_watches(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes((GOOD + ("# caf\xe9\n" if encoding == "latin-1" else "# 추천\n")).encode(encoding))
    config, error = load_usable(path)
    assert "is not UTF-8" in str(error)
    assert config.store_path({}) == tmp_path / "here.db"
    assert "second" in {watch.service for watch in config.watches}


@pytest.mark.parametrize(
    "content",
    [GOOD.encode("utf-16"), GOOD.replace("here.db", "h\xe9re.db").encode("latin-1")],
    ids=["UTF-16", "in the store's path"],
)
def test_text_that_is_not_utf_8_leads_to_no_other_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="the store of the running daemon is not known"):
        load_usable(path)


STATE = '[state]\nurl = "sqlite:///here.db"'
WITHOUT_STORE = {
    "a number": GOOD.replace(STATE, "[state]\nurl = 3"),
    "another database": GOOD.replace(STATE, '[state]\nurl = "mysql://db"'),
    "a text that is not closed": GOOD.replace(STATE, '[state]\nurl = "sqlite:///here.db'),
    "a header that is not closed": GOOD.replace(STATE, '[state\nurl = "sqlite:///here.db"'),
    "no table": GOOD.replace(STATE, 'state = "here.db"'),
    "a list of tables": GOOD.replace(STATE, '[[state]]\nurl = "sqlite:///here.db"'),
    "a dotted key": "state.url = [\n" + GOOD.replace(STATE, ""),
}


@pytest.mark.parametrize("fault", sorted(WITHOUT_STORE))
def test_a_fault_in_the_table_of_the_store_leads_to_no_other_store(tmp_path: Path, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        usable(tmp_path, WITHOUT_STORE[fault])
    assert "the store of the running daemon is not known" in str(raised.value)
    assert len(raised.value.faults) > 1


@pytest.mark.parametrize(
    "more",
    ["[surprise]\n", "[[watch]]\nlabels.state = 1\n", '[receiver.one.labels]\nstate = "beta"\n', "# state\nx = [\n"],
)
def test_a_faulty_file_without_the_table_of_the_store_has_the_default_store(tmp_path: Path, more: str) -> None:
    config = usable(tmp_path, GOOD.replace(STATE, "") + more)
    assert config.store_path({"HOME": "/home/one"}).is_relative_to("/home/one")
