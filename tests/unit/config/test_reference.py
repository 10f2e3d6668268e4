"""``docs/configuration.md`` has a row for every key with its default, and its examples match the program."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from tests.support.paths import DOCS
from watcher.config import ConfigError, format_duration, load
from watcher.config.document import RECEIVER_KINDS, TABLES
from watcher.config.models.base import Settings, keys_of

REFERENCE = (DOCS / "configuration.md").read_text()
ROW = re.compile(r"^\| `(?P<key>\w+)` \| .*? \| (?P<default>[^|]*?) \| ", re.MULTILINE)
EXAMPLE = re.compile(r"```toml\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"```text\n(.*?)```", re.DOTALL)

SECTIONS = {
    "`[state]`": TABLES["state",],
    "`[delivery]`": TABLES["delivery",],
    "`[web]`": TABLES["web",],
    "`[heartbeat]`": TABLES["heartbeat",],
    "`[account.NAME]`": TABLES["account", "*"],
    "`[[watch]]`": TABLES["watch", "*"],
    "`[[route]]`": TABLES["route", "*"],
    "`match`": TABLES["route", "*", "match"],
    **{f'`kind = "{kind}"`': table for kind, table in RECEIVER_KINDS.items()},
}


def rows_below(header: str) -> dict[str, str]:
    section = re.split(r"^#+ ", REFERENCE, flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(header)]
    return {row["key"]: row["default"] for row in ROW.finditer(text)}


def as_written(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required():
        return "required"
    return "none" if default is None else f"`{toml(default)}`"


def toml(value: object) -> str:
    match value:
        case timedelta():
            return f'"{format_duration(value)}"'
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case ():
            return "[]"
        case Settings():
            return "{}"
    return str(value)


@pytest.mark.parametrize("header", SECTIONS)
def test_every_key_has_its_row_and_its_default(header: str) -> None:
    table: type[Settings] = SECTIONS[header]
    expected = {key: as_written(field) for key, field in keys_of(table).items()}
    expected |= {"account": "the only one"} if table is TABLES["watch", "*"] else {}

    assert rows_below(header) == expected


def test_the_first_example_is_valid() -> None:
    assert load(Path("config.toml"), text=EXAMPLE.findall(REFERENCE)[0]).receivers


def test_the_faulty_example_reports_the_documented_faults() -> None:
    [faulty] = [text for text in EXAMPLE.findall(REFERENCE) if "fast" in text]
    [shown] = OUTPUT.findall(REFERENCE)

    with pytest.raises(ConfigError) as caught:
        load(Path("config.toml"), text=faulty)
    assert f"{caught.value}\n" == shown
