"""``config.example.toml`` shows every key, each with the default that the program has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pydantic_core import PydanticUndefined

from tests.support.paths import ROOT
from watcher.config import Config, load
from watcher.config.document import RECEIVER_KINDS, TABLES, shape_of
from watcher.config.models.base import Settings, keys_of
from watcher.config.validation.line_numbers import Lines

EXAMPLE = ROOT / "config.example.toml"
COMMENTED_OUT = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)


def defaults_of(table: Settings) -> dict[str, object]:
    fields = type(table).model_fields
    return {name: field.get_default() for name, field in fields.items() if field.get_default() is not PydanticUndefined}


@pytest.fixture
def config() -> Config:
    return load(EXAMPLE)


def with_every_key_enabled() -> str:
    """Remove the # from each key; of several variants of one key, keep the first."""
    lines: list[str] = []
    keys: set[str] = set()
    for line in COMMENTED_OUT.sub("", EXAMPLE.read_text()).splitlines():
        if line.startswith("["):
            keys = set()
        key = line.partition(" = ")[0]
        if " = " not in line or line.startswith("#") or key not in keys:
            lines.append(line)
            keys.add(key)
    return "\n".join(lines)


def tables_of(config: Config) -> Iterator[Settings]:
    yield config.state
    yield config.delivery
    yield config.web
    yield config.heartbeat
    yield from config.accounts.values()
    yield from config.watches
    yield from config.receivers.values()


def test_the_example_is_valid_unchanged(config: Config) -> None:
    assert set(config.accounts) == {"main"}
    assert set(config.receivers) == {"ml-ops", "ml-team", "pipeline", "console"}
    assert len(config.watches) == 2
    assert len(config.routes) == 3


def test_the_example_is_valid_with_every_key_enabled() -> None:
    config = load(EXAMPLE, text=with_every_key_enabled())

    assert config.state.url.endswith("/watcher.db")
    assert config.watches[1].type == "pop"
    assert all(account.proxy and account.ca_file and account.client_cert for account in config.accounts.values())


def test_every_default_in_the_example_is_that_of_the_program(config: Config) -> None:
    for table in tables_of(config):
        defaults = defaults_of(table)
        for name in table.model_fields_set & defaults.keys():
            assert getattr(table, name) == defaults[name], f"{type(table).__name__}.{name}"


def test_every_key_with_a_default_is_written_out(config: Config) -> None:
    written = {(type(table), name) for table in tables_of(config) for name in table.model_fields_set}

    for table in tables_of(config):
        for name, default in defaults_of(table).items():
            assert not default or (type(table), name) in written, f"{type(table).__name__}.{name}"


@pytest.mark.parametrize("shape", TABLES, ids=".".join)
def test_every_key_is_in_the_example(shape: tuple[str, ...]) -> None:
    shown = {shape_of(path) for path in Lines(with_every_key_enabled()).all}

    assert [key for key in keys_of(TABLES[shape]) if (*shape, key) not in shown] == []


@pytest.mark.parametrize("kind", RECEIVER_KINDS)
def test_every_key_of_a_receiver_is_in_the_example(kind: str) -> None:
    config = load(EXAMPLE, text=with_every_key_enabled())
    [receiver] = [receiver for receiver in config.receivers.values() if receiver.kind == kind]

    assert receiver.model_fields_set == set(type(receiver).model_fields)
