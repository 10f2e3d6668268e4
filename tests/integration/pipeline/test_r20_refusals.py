"""R20: with any fault in the file, or in a secret or file that it names, the old configuration stays active."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import pytest
from starlette.responses import PlainTextResponse

from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.fault_table import rounds
from tests.support.paths import DATA
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, open_scenario, reload
from watcher.app import Daemon
from watcher.config import ConfigError, load
from watcher.store.sqlite import database

BAD: Final = sorted((DATA / "config" / "bad").glob("*.toml"))
"""Each file has one or more faults; unit tests check their messages."""
FILES_PER_CHANGE: Final = 20
"""The number of files between two changes of the watched training."""
STATUSES: Final = ("learning", "stopping", "learning", "completed") * 4


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with open_scenario(tmp_path) as made:
        yield made


@asynccontextmanager
async def undisturbed(scenario: ReloadScenario) -> AsyncIterator[Daemon]:
    """Run the daemon; check after the block that its configuration and its promises hold as before."""
    async with scenario.running(scenario.text(FIRST)) as daemon:
        config, polls, workers = (
            daemon.reloader.config,
            daemon.poller._polls,
            daemon.pipeline.delivery_workers.by_receiver,
        )
        yield daemon
        assert daemon.reloader.config is config
        assert daemon.poller._polls is polls
        assert daemon.pipeline.delivery_workers.by_receiver is workers
        scenario.show("learningFailed")
        await daemon_in_process.eventually(
            lambda: scenario.hook.events()[-1:] != [] and scenario.hook.events()[-1]["kind"] == "failed"
        )
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
    assert {shown.subject[0] for shown in scenario.api.shown} == {FIRST}
    assert scenario.broken_invariants([FIRST]) == []


async def refusal(daemon: Daemon) -> list[str]:
    answer = await reload(daemon)
    assert answer["outcome"] == "refused", answer
    faults = answer["faults"]
    assert isinstance(faults, list)
    return faults


def faults_of(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [str(fault) for fault in caught.value.faults]


async def test_r20_a_file_with_any_kind_of_fault_changes_nothing(scenario: ReloadScenario) -> None:
    statuses = iter(STATUSES)
    async with undisturbed(scenario) as daemon:
        for number, bad in enumerate(BAD):
            scenario.write(bad.read_text())
            assert await refusal(daemon) == faults_of(scenario.file), bad.stem
            if number % FILES_PER_CHANGE == 0:
                scenario.show(next(statuses))
                await scenario.wait_for_polls(FIRST)
    rounds(few=len(BAD), full=len(BAD))


def gone(file: Path) -> None:
    file.unlink()


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def circle(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def unreadable(file: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser reads every file")
    file.chmod(0)


def cut_off(file: Path) -> None:
    file.write_text(file.read_text().rpartition('"')[0])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe" + file.read_bytes())


def zeros(file: Path) -> None:
    file.write_bytes(b"\0" * 4096)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (gone, "cannot be read: No such file"),
        (folder, "cannot be read: Is a directory"),
        (circle, "cannot be read: Too many levels of symbolic links"),
        (unreadable, "cannot be read: Permission denied"),
        (cut_off, "config.toml:"),
        (empty, "[account.NAME]"),
        (no_text, "is not UTF-8"),
        (zeros, "config.toml:1"),
    ],
)
async def test_r20_a_file_that_cannot_be_read_or_parsed_changes_nothing(
    scenario: ReloadScenario, spoil: Callable[[Path], None], expected: str
) -> None:
    async with undisturbed(scenario) as daemon:
        scenario.write(scenario.text(SECOND))
        spoil(scenario.file)
        assert expected in "\n".join(await refusal(daemon))


RECEIVER: Final = '\n[receiver.late]\nkind = "{kind}"\n{lines}\n'


def receiver(kind: str, *lines: str) -> str:
    return RECEIVER.format(kind=kind, lines="\n".join(lines))


NAMED: Final[Mapping[str, tuple[str, str]]] = {
    "variable not set": (receiver("slack-webhook", 'url = { env = "NOT_SET" }'), "NOT_SET is not set"),
    "secret's file gone": (receiver("slack-webhook", 'url = { file = "gone" }'), "receiver.late.url: the secret in"),
    "secret's file is a folder": (receiver("slack-webhook", 'url = { file = "." }'), "Is a directory"),
    "secret's file empty": (receiver("slack-webhook", 'url = { file = "empty" }'), "is empty"),
    "secret's file no text": (receiver("slack-webhook", 'url = { file = "bytes" }'), "is not UTF-8"),
    "secret of two lines": (receiver("slack-webhook", 'url = { file = "lines" }'), "several lines"),
    "no such credential": (receiver("slack-webhook", 'url = { credential = "x" }'), "the credential x is not there"),
    "secret too short": (
        receiver("webhook", 'url = "https://a.example/"', 'secret = { file = "short" }'),
        "receiver 'late': secret",
    ),
    "secret no address": (receiver("webhook", 'url = { file = "short" }'), "begins with https://"),
    "header's secret gone": (
        receiver("webhook", 'url = "https://a.example/"', 'headers = { X-Team = { file = "gone" } }'),
        "receiver.late.headers.X-Team",
    ),
    "token missing": (receiver("slack", 'channel = "C0123456789"', 'token = { env = "NOT_SET" }'), "NOT_SET"),
    "certificate gone": (receiver("webhook", 'url = "https://a.example/"', 'ca_file = "gone"'), "read as PEM"),
    "certificate no PEM": (receiver("webhook", 'url = "https://a.example/"', 'ca_file = "short"'), "read as PEM"),
    "client's no PEM": (receiver("webhook", 'url = "https://a.example/"', 'client_cert = "short"'), "read as PEM"),
}


async def test_r20_a_file_that_names_a_missing_or_bad_secret_changes_nothing(scenario: ReloadScenario) -> None:
    (scenario.folder / "empty").write_text("")
    (scenario.folder / "bytes").write_bytes(b"\xff\xfe")
    (scenario.folder / "lines").write_text("https://a.example/\nhttps://b.example/\n")
    (scenario.folder / "short").write_text("short")
    async with undisturbed(scenario) as daemon:
        for case, (wrong, expected) in NAMED.items():
            scenario.write(scenario.text(SECOND) + wrong)
            assert expected in "\n".join(await refusal(daemon)), case
        scenario.write(scenario.text(SECOND).replace('timeout = "2s"', 'ca_file = "gone"'))
        assert "read as PEM" in "\n".join(await refusal(daemon))
    rounds(few=len(NAMED), full=len(NAMED))


async def test_r20_two_missing_secrets_are_both_named(scenario: ReloadScenario) -> None:
    one = receiver("slack-webhook", 'url = { env = "NOT_SET" }')
    async with undisturbed(scenario) as daemon:
        scenario.write(scenario.text(SECOND) + one + one.replace("late", "other").replace("NOT_SET", "NEITHER"))
        assert [fault.partition(" is not set")[0] for fault in await refusal(daemon)] == [
            "receiver.late.url: the environment variable NOT_SET",
            "receiver.other.url: the environment variable NEITHER",
        ]


async def test_r20_a_rejected_file_is_applied_once_it_is_corrected(scenario: ReloadScenario) -> None:
    async with scenario.running(scenario.text(FIRST)) as daemon:
        scenario.write(scenario.text(SECOND) + "[")
        await refusal(daemon)
        scenario.write(scenario.text(FIRST, SECOND))
        assert (await reload(daemon))["changes"] == [f"watch main {SECOND}: added"]
        await scenario.wait_for_polls(SECOND)
        scenario.show("completed", SECOND)
        assert await scenario.wait_for_events(1) == [(SECOND, "completed")]
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
    assert scenario.broken_invariants() == []


async def test_r20_deliveries_of_a_removed_watch_are_sent_once_and_in_order(
    scenario: ReloadScenario,
) -> None:
    is_down = True
    scenario.hook.script = lambda _received: PlainTextResponse("", 503 if is_down else 200)
    versions = [f"v{number}" for number in range(1, 6)]
    for version in versions:
        scenario.show("requesting", version=version)
    async with scenario.running(scenario.text(FIRST, SECOND)) as daemon:
        for status in ("waiting", "learning", "learningFailed"):
            for version in versions:
                scenario.show(status, version=version)
            await scenario.wait_for_polls(FIRST, 3 * len(versions))
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scenario.folder)) == 3 * len(versions))
        scenario.write(scenario.text(SECOND))
        assert (await reload(daemon))["changes"] == [f"watch main {FIRST}: removed"]
        await scenario.wait_for_polls(SECOND)
    async with scenario.running(scenario.text(SECOND)):
        is_down = False
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
    states = {
        delivery_outcome.state
        for announced in daemon_in_process.history(scenario.folder)
        for delivery_outcome in announced.delivery_outcomes
    }
    assert states == {"delivered"}
    assert len(daemon_in_process.history(scenario.folder)) == 3 * len(versions)
    assert scenario.broken_invariants() == []


async def test_r20_a_reload_succeeds_while_the_store_cannot_be_written(
    scenario: ReloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.1)
    text = scenario.text("never-there", FIRST).replace("[delivery]", '[incident]\nafter = "0s"\n\n[delivery]', 1)
    async with scenario.running(text, failing=True) as daemon:
        await daemon_in_process.eventually(lambda: len(daemon.poller.cache.open_incidents()) == 1)
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
        scenario.write(text.replace('[[watch]]\nservice = "never-there"', f'[[watch]]\nservice = "{SECOND}"'))
        with closing(sqlite3.connect(scenario.folder / "watcher.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await reload(daemon))["outcome"] == "reloaded"
            other.execute("ROLLBACK")
        await daemon_in_process.eventually(lambda: daemon.poller.cache.open_incidents() == [])
        scenario.show("learning", SECOND)
        await daemon_in_process.eventually(
            lambda: (SECOND, "learning") in [(e["service"], e["to"]) for e in scenario.hook.events()]
        )
        await daemon_in_process.eventually(lambda: all_delivered(scenario.folder))
    assert scenario.broken_invariants() == []
