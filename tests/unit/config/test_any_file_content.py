"""For any file content, ``load`` returns settings or reports faults: never another error, never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.paths import ROOT
from watcher.config import Config, ConfigError, load

# The machine may be busy, so the time of one example means nothing.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EXAMPLE = (ROOT / "config.example.toml").read_text()
SECRET = "HIDDEN"

HEADERS = """
    [account] [account.main] [account.other] [[account]] [state] [delivery] [web] [watch] [[watch]] [[watch]] [[watch]]
    [watch.labels] [receiver] [receiver.main] [receiver.other] [receiver.main.headers] [route] [[route]] [[route]]
    [route.match] [[route.match]] [account.main.secret_key] [receiver."x\\ny"] [account."x\\ny"]
"""
WORDS = """
    . .. * main other a/b log webhook slack-webhook slack failed progress stuck 5s 1h 0s pop popp UTC Asia resend
    <!here> 6w* pop? 30s
    https://hooks.example/a https://me@hooks.example http://127.0.0.1 sqlite:///x.db NCP_KEY ~nobody/x
"""
NUMBERS_AND_DATES = "1 -1 0.5 inf true 2026-11-23 07:32:00"


def array(values: list[str]) -> str:
    return f"[{', '.join(values)}]"


def inline_table(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)} = {value}" for key, value in values.items()) + "}"


KEYS = st.sampled_from(
    [*sorted(set(re.findall(r"\b[a-z_]{2,}\b(?= = )", EXAMPLE))), "", "[key]", "x\ny", "acces_key", "main"]
)
VALUES = st.recursive(
    st.sampled_from([*map(json.dumps, ["", "line\nbreak", *WORDS.split()]), *NUMBERS_AND_DATES.split()]),
    lambda inner: st.lists(inner, max_size=3).map(array) | st.dictionaries(KEYS, inner, max_size=3).map(inline_table),
    max_leaves=4,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=5)


@st.composite
def documents(draw: st.DrawFn) -> str:
    headers = draw(
        st.lists(
            st.sampled_from(HEADERS.split()),
            max_size=7,
            unique_by=lambda header: header if header[1] != "[" else object(),
        )
    )
    lines = []
    for header in headers:
        lines.append(header)
        lines += [f"{json.dumps(key)} = {value}" for key, value in draw(TABLES).items()]
    return "\n".join(lines)


def outcome(text: str) -> Config | ConfigError:
    try:
        return load(Path("config.toml"), text=text)
    except ConfigError as error:
        return error


@st.composite
def examples_with_one_other_value(draw: st.DrawFn) -> str:
    lines = EXAMPLE.splitlines()
    indices = [index for index, line in enumerate(lines) if " = " in line and not line.startswith("# ")]
    index = draw(st.sampled_from(indices))
    lines[index] = f"{lines[index].lstrip('#').partition(' = ')[0]} = {draw(VALUES)}"
    return "\n".join(lines)


@PATIENT
@given(documents() | examples_with_one_other_value() | st.text(max_size=80))
@example('[account]\n[receiver."x\\ny"]\n[receiver.main]\nfallback = ""')
@example('[account]\n[receiver."x"]\n[receiver.main]\nfallback = "a\\nb"')
def test_every_file_gives_settings_or_faults_with_valid_line_numbers(text: str) -> None:
    result = outcome(text)

    if isinstance(result, ConfigError):
        assert result.faults
        for fault in result.faults:
            assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1
            assert "\n" not in str(fault)
            assert "is not accepted" not in str(fault), "a pydantic error without a text of the watcher"


SECRET_KEYS = [
    "[account.main]\nsecret_key",
    "[account.main]\naccess_key",
    "[account.main]\nsecret_kye",
    "[account.main.secret_key]\nx",
    "[account]\nsecret_key",
    "[[account]]\nsecret_key",
    "[acount.main]\nsecret_key",
    '[receiver.a]\nkind = "webhook"\nsecret',
    '[receiver.a]\nkind = "webhook"\nheaders.Authorization',
    '[receiver.a]\nkind = "slack-webhook"\nurl',
    '[receiver.a]\nkind = "slack"\ntoken',
    "[receiver.a]\nurl",
    "[web]\ntoken",
]
WAYS_OF_WRITING = [
    f'"{SECRET}"',
    f"'{SECRET}'",
    f'"""\n{SECRET}\n"""',
    f'"{SECRET}',
    f'"\\q{SECRET}"',
    SECRET,
    f'["{SECRET}"]',
    f'{{ value = "{SECRET}" }}',
    f'{{ env = "{SECRET}+/=" }}',
    f'{{ credential = "{SECRET}/" }}',
    f'{{ file = ["{SECRET}"] }}',
]


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("value", WAYS_OF_WRITING)
def test_the_value_of_a_secret_is_never_shown(key: str, value: str) -> None:
    result = outcome(f"{key} = {value}\n")

    assert isinstance(result, ConfigError)
    assert SECRET not in str(result)
    assert SECRET not in repr(result)
