"""R20: whatever is wrong with the file, or with what it names, the old configuration stays, whole and at work."""

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
from tests.support.reload_scenario import FIRST, SECOND, ReloadScenario, reload, staged
from watcher.app import Daemon
from watcher.config import ConfigError, load
from watcher.store.sqlite import database

BAD: Final = sorted((DATA / "config" / "bad").glob("*.toml"))
"""Each holds one kind of fault, or several; unit tests see to what is said of them."""
A_WORD_EVERY: Final = 20
"""Files between two changes of the training that is watched meanwhile."""
WORDS: Final = ("learning", "stopping", "learning", "completed") * 4


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ReloadScenario]:
    async with staged(tmp_path) as made:
        yield made


@asynccontextmanager
async def undisturbed(scene: ReloadScenario) -> AsyncIterator[Daemon]:
    """Run the daemon; after the block it must be at work as it was before it, and have kept every promise."""
    async with scene.running(scene.text(FIRST)) as daemon:
        config, polls, workers = (
            daemon.reloader.config,
            daemon.poller._polls,
            daemon.pipeline.delivery_workers.by_receiver,
        )
        yield daemon
        assert daemon.reloader.config is config
        assert daemon.poller._polls is polls
        assert daemon.pipeline.delivery_workers.by_receiver is workers
        scene.show("learningFailed")
        await daemon_in_process.eventually(
            lambda: scene.hook.events()[-1:] != [] and scene.hook.events()[-1]["kind"] == "failed"
        )
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
    assert {shown.subject[0] for shown in scene.api.shown} == {FIRST}
    assert scene.broken_invariants([FIRST]) == []


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


async def test_r20_no_kind_of_fault_in_the_file_takes_anything_over(scene: ReloadScenario) -> None:
    words = iter(WORDS)
    async with undisturbed(scene) as daemon:
        for number, bad in enumerate(BAD):
            scene.write(bad.read_text())
            assert await refusal(daemon) == faults_of(scene.file), bad.stem
            if number % A_WORD_EVERY == 0:
                scene.show(next(words))
                await scene.polled(FIRST)
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
    ("spoil", "said"),
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
async def test_r20_a_file_that_cannot_be_read_or_is_no_configuration_takes_nothing_over(
    scene: ReloadScenario, spoil: Callable[[Path], None], said: str
) -> None:
    async with undisturbed(scene) as daemon:
        scene.write(scene.text(SECOND))
        spoil(scene.file)
        assert said in "\n".join(await refusal(daemon))


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


async def test_r20_what_the_file_names_and_cannot_be_had_takes_nothing_over(scene: ReloadScenario) -> None:
    (scene.folder / "empty").write_text("")
    (scene.folder / "bytes").write_bytes(b"\xff\xfe")
    (scene.folder / "lines").write_text("https://a.example/\nhttps://b.example/\n")
    (scene.folder / "short").write_text("short")
    async with undisturbed(scene) as daemon:
        for case, (wrong, said) in NAMED.items():
            scene.write(scene.text(SECOND) + wrong)
            assert said in "\n".join(await refusal(daemon)), case
        scene.write(scene.text(SECOND).replace('timeout = "2s"', 'ca_file = "gone"'))
        assert "read as PEM" in "\n".join(await refusal(daemon))
    rounds(few=len(NAMED), full=len(NAMED))


async def test_r20_two_secrets_that_are_missing_are_both_named(scene: ReloadScenario) -> None:
    one = receiver("slack-webhook", 'url = { env = "NOT_SET" }')
    async with undisturbed(scene) as daemon:
        scene.write(scene.text(SECOND) + one + one.replace("late", "other").replace("NOT_SET", "NEITHER"))
        assert [fault.partition(" is not set")[0] for fault in await refusal(daemon)] == [
            "receiver.late.url: the environment variable NOT_SET",
            "receiver.other.url: the environment variable NEITHER",
        ]


async def test_r20_a_refused_file_is_taken_over_once_it_is_recovered(scene: ReloadScenario) -> None:
    async with scene.running(scene.text(FIRST)) as daemon:
        scene.write(scene.text(SECOND) + "[")
        await refusal(daemon)
        scene.write(scene.text(FIRST, SECOND))
        assert (await reload(daemon))["changes"] == [f"watch main {SECOND}: added"]
        await scene.polled(SECOND)
        scene.show("completed", SECOND)
        assert await scene.announced(1) == [(SECOND, "completed")]
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
    assert scene.broken_invariants() == []


async def test_r20_all_that_waits_when_a_watch_is_taken_out_still_goes_out_once_and_in_order(
    scene: ReloadScenario,
) -> None:
    away = True
    scene.hook.script = lambda _received: PlainTextResponse("", 503 if away else 200)
    versions = [f"v{number}" for number in range(1, 6)]
    for version in versions:
        scene.show("requesting", version=version)
    async with scene.running(scene.text(FIRST, SECOND)) as daemon:
        for word in ("waiting", "learning", "learningFailed"):
            for version in versions:
                scene.show(word, version=version)
            await scene.polled(FIRST, 3 * len(versions))
        await daemon_in_process.eventually(lambda: len(daemon_in_process.history(scene.folder)) == 3 * len(versions))
        scene.write(scene.text(SECOND))
        assert (await reload(daemon))["changes"] == [f"watch main {FIRST}: removed"]
        await scene.polled(SECOND)
    async with scene.running(scene.text(SECOND)):
        away = False
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
    states = {
        delivery_outcome.state
        for announced in daemon_in_process.history(scene.folder)
        for delivery_outcome in announced.delivery_outcomes
    }
    assert states == {"delivered"}
    assert len(daemon_in_process.history(scene.folder)) == 3 * len(versions)
    assert scene.broken_invariants() == []


async def test_r20_a_reload_while_the_store_cannot_be_written_is_taken_over_whole_and_says_so(
    scene: ReloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.1)
    text = scene.text("never-there", FIRST).replace("[delivery]", '[incident]\nafter = "0s"\n\n[delivery]', 1)
    async with scene.running(text) as daemon:
        await daemon_in_process.eventually(lambda: len(daemon.poller.cache.open_incidents()) == 1)
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
        scene.write(text.replace('[[watch]]\nservice = "never-there"', f'[[watch]]\nservice = "{SECOND}"'))
        with closing(sqlite3.connect(scene.folder / "watcher.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await reload(daemon))["outcome"] == "reloaded"
            other.execute("ROLLBACK")
        await daemon_in_process.eventually(lambda: daemon.poller.cache.open_incidents() == [])
        scene.show("learning", SECOND)
        await daemon_in_process.eventually(
            lambda: (SECOND, "learning") in [(e["service"], e["to"]) for e in scene.hook.events()]
        )
        await daemon_in_process.eventually(lambda: all_delivered(scene.folder))
    assert scene.broken_invariants() == []
