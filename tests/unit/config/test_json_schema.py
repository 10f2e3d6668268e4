"""The schema of `config schema` accepts every valid file, and the packaged example is the one at the root."""

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
SINGLE_KEY_FAULTS = (
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
"""Faults of a single key."""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_schema_accepts_every_file_that_the_program_accepts(path: Path, validator: Draft202012Validator) -> None:
    document = tomllib.loads(path.read_text())
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("name", SINGLE_KEY_FAULTS)
def test_the_schema_rejects_the_fault_of_a_single_key(name: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(tomllib.loads((DATA / "bad" / f"{name}.toml").read_text()))


def test_the_schema_describes_the_written_values_and_not_the_parsed_ones(validator: Draft202012Validator) -> None:
    timeout = validator.schema["$defs"]["AccountSettings"]["properties"]["timeout"]  # type: ignore[index]  # a mapping
    assert timeout["default"] == "10s"
    assert "null" not in str(validator.schema)


def test_the_example_is_the_one_at_the_root() -> None:
    assert example_text() == (paths.ROOT / "config.example.toml").read_text()
