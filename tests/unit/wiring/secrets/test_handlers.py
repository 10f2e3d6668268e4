"""The commands that run inside the daemon: the work that takes long is done outside its event loop."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from watcher.clock import Clock
from watcher.config import Config, load
from watcher.control.protocol import ControlError
from watcher.core.action import Action
from watcher.core.delivery.model import Delivered
from watcher.core.training.model import ServiceRef
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.reports import discovery
from watcher.reports.discovery import FoundAccount, FoundService
from watcher.store.actions import ActionLog
from watcher.wiring.accounts import Budgets
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets import commands as secret_commands
from watcher.wiring.secrets import handlers as secret_handlers

TEXT = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }

[[watch]]
service = "6wxgu1abcde"

[receiver.log]
kind = "log"
"""
FOUND = [
    FoundAccount(
        account="main",
        services=[FoundService(ref=ServiceRef(account="main", service="6wxgu1abcde"), name="shop", trainings=())],
    )
]
COMMANDS = ("check.online", "discover", "doctor.secrets", "test")
Serve = Callable[..., Any]


async def no_checks(*_arguments: object) -> AsyncIterator[Any]:
    for check in list[Any]():
        yield check


async def found(*_arguments: object, **_options: object) -> Sequence[FoundAccount]:
    return FOUND


class NoLog(ActionLog):
    """Records nothing."""

    def __init__(self) -> None:
        """Need no store."""

    async def record(self, action: Action) -> None:
        """Record nothing."""


async def delivered(*_arguments: object, **_options: object) -> tuple[Delivered, None]:
    return Delivered(), None


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(tmp_path / "config.toml", text=TEXT)


@pytest.fixture
def serve(config: Config, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a command with the configuration's text; no call is made."""
    for name, double in (("online_checks", no_checks), ("discover", found), ("try_receiver", delivered)):
        monkeypatch.setattr(secret_commands, name, double)
    runtime = Runtime(environ={}, redactor=Redactor(), clock=Clock(), output=LineWriter(io.StringIO()))
    handlers = secret_handlers.secret_handlers(runtime, Budgets(), lambda: config, NoLog())

    async def ask(command: str, **arguments: object) -> Any:
        text = {"path": str(config.path), "text": TEXT, "receiver": "log", "accounts": ["main"]}
        return await handlers[command]({**text, **arguments})

    return ask


def threads_of(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[int]:
    """Return a list of the threads in which this function will run."""
    threads, function = list[int](), getattr(module, name)

    def noting(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, noting)
    return threads


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_event_loop_parses_no_configuration(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    threads = threads_of(monkeypatch, secret_handlers, "load")
    await serve(command)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(("asked", "access"), [({}, "True"), ({"access": False}, "False")])
async def test_the_page_does_not_ask_slack_about_a_token(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, asked: dict[str, bool], access: str
) -> None:
    async def asking(*_arguments: object, ask_access: bool) -> tuple[Delivered, None]:
        return Delivered(answer=str(ask_access)), None

    monkeypatch.setattr(secret_commands, "try_receiver", asking)
    assert (await serve("test", **asked))["answer"] == access


async def test_a_test_of_an_unknown_receiver_is_refused(serve: Serve) -> None:
    with pytest.raises(ControlError, match=r"there is no \[receiver.nobody\]"):
        await serve("test", receiver="nobody")


@pytest.mark.parametrize("forms", [None, ["blocks"], ["accounts"]])
async def test_the_event_loop_makes_no_report(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, forms: list[str] | None
) -> None:
    threads = threads_of(monkeypatch, discovery, "failure_lines")
    await serve("discover", forms=forms)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("forms", "sent"),
    [
        (["blocks"], {"blocks"}),
        (["accounts"], {"accounts"}),
        (["accounts", "of a later version"], {"accounts"}),
        (None, {"accounts", "blocks"}),
    ],
)
async def test_only_the_forms_that_a_command_uses_are_sent(
    serve: Serve, forms: list[str] | None, sent: set[str]
) -> None:
    answer = await serve("discover", **({} if forms is None else {"forms": forms}))
    assert {name for name, lines in answer.items() if lines} == sent
    assert set(answer) == {"accounts", "blocks", "failures"}


@pytest.mark.parametrize("text", [{"text": None}, {"text": "= no TOML"}, {"path": None}, {"text": 3}])
async def test_without_a_usable_text_the_active_configuration_counts(serve: Serve, text: dict[str, object]) -> None:
    secrets = await serve("doctor.secrets", **text)
    assert [secret["key"] for secret in secrets["secrets"]] == ["account.main.access_key", "account.main.secret_key"]
