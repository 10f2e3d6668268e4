"""The schema that `config schema` prints takes what the program takes, and the example is the one at the root."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support import paths
from watcher.config.example import example_text
from watcher.config.json_schema import config_schema

DATA = paths.DATA / "config"
GOOD = [paths.ROOT / "config.example.toml", *sorted((DATA / "good").glob("*.toml"))]
SHOWS_ALONE = (
    "account-key-unknown",
    "access-key-in-plain-sight",
    "access-key-missing",
    "concurrency-too-large",
    "interval-is-a-time-of-day",
    "timeout-without-a-unit",
    "rate-is-text",
    "receiver-kind-unknown",
    "route-key-unknown",
    "secret-in-two-ways",
    "section-unknown",
    "on-uncertain-unknown",
)
"""Faults that one key shows by itself."""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_the_program_takes_the_schema_takes(path: Path, validator: Draft202012Validator) -> None:
    document = tomllib.loads(path.read_text())
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("name", SHOWS_ALONE)
def test_what_one_key_shows_the_schema_refuses(name: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(tomllib.loads((DATA / "bad" / f"{name}.toml").read_text()))


def test_the_schema_speaks_of_what_is_written_and_not_of_what_it_becomes(validator: Draft202012Validator) -> None:
    timeout = validator.schema["$defs"]["AccountSettings"]["properties"]["timeout"]  # type: ignore[index]  # a mapping
    assert timeout["default"] == "10s"
    assert "null" not in str(validator.schema)


def test_the_example_is_the_one_at_the_root() -> None:
    assert example_text() == (paths.ROOT / "config.example.toml").read_text()
