"""Every missing secret is named at once, each with its key in the file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from watcher.clock import Clock
from watcher.config import Config, SecretsError, load
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.wiring.alert_test import try_receiver
from watcher.wiring.discovery import discover
from watcher.wiring.online_checks import online_checks
from watcher.wiring.runtime import Runtime

TEXT = """
[account.main]
access_key = { env = "MAIN_A" }
secret_key = { env = "MAIN_B" }

[account.other]
access_key = { env = "OTHER_A" }
secret_key = { credential = "other" }

[[watch]]
account = "main"
service = "6wxgu1abcde"

[[watch]]
account = "other"
service = "7kpqr2fghij"

[receiver.hook]
kind = "webhook"
url = { env = "URL" }
secret = { env = "SIGNING" }

[receiver.hook.headers]
Authorization = { env = "TOKEN" }

[receiver.signed]
kind = "webhook"
url = "https://hooks.example.com/x"
secret = { env = "SIGNING" }

[receiver.signed.headers]
Authorization = { env = "TOKEN" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    return load(path)


def runtime(**environ: str) -> Runtime:
    return Runtime(environ=environ, redactor=Redactor(), clock=Clock(), output=LineWriter(io.StringIO()))


def keys(error: SecretsError) -> list[str]:
    return [problem.partition(": ")[0] for problem in error.problems]


@pytest.mark.parametrize(
    ("accounts", "environ", "missing"),
    [
        (["main"], {}, ["account.main.access_key", "account.main.secret_key"]),
        (["main"], {"MAIN_A": "k"}, ["account.main.secret_key"]),
        (
            ["main", "other"],
            {"OTHER_A": "k"},
            ["account.main.access_key", "account.main.secret_key", "account.other.secret_key"],
        ),
    ],
    ids=["both of one account", "the second", "of two accounts"],
)
async def test_discover_names_every_missing_key(
    config: Config, accounts: list[str], environ: dict[str, str], missing: list[str]
) -> None:
    with pytest.raises(SecretsError) as raised:
        await discover(config, accounts, runtime(**environ))
    assert keys(raised.value) == missing


@pytest.mark.parametrize(
    ("receiver", "missing"),
    [
        ("hook", ["receiver.hook.url", "receiver.hook.secret", "receiver.hook.headers.Authorization"]),
        ("signed", ["receiver.signed.secret", "receiver.signed.headers.Authorization"]),
    ],
)
async def test_a_test_alert_names_every_missing_secret_of_its_receiver(
    config: Config, receiver: str, missing: list[str]
) -> None:
    with pytest.raises(SecretsError) as raised:
        await try_receiver(receiver, config, runtime())
    assert keys(raised.value) == missing


@pytest.mark.parametrize("url", [None, "no address"], ids=["without the address", "with an invalid one"])
async def test_an_online_check_names_every_missing_secret_in_one_line(config: Config, url: str | None) -> None:
    only = replace(config, receivers={"hook": config.receivers["hook"]})
    process = runtime() if url is None else runtime(URL=url)
    found = {check.about: check.detail async for check in online_checks(only, process)}
    for name, names in {"main": ("access_key", "secret_key"), "other": ("access_key", "secret_key")}.items():
        assert all(f"account.{name}.{key}: " in found[f"account {name}"] for key in names)
    wanted = ["receiver.hook.secret: ", "receiver.hook.headers.Authorization: "]
    wanted += ["receiver.hook.url: "] if url is None else ["the URL in env URL "]
    assert [part for part in wanted if found["receiver hook"].count(part) != 1] == []
    assert "\n" not in "".join(found.values())
