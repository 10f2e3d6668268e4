"""``plot`` on a store: a service, a training, and words where there is nothing to draw."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.integration.cli.support import Run, runner
from tests.integration.cli.test_stats import CONFIG, NOW, run_days_ago
from tests.integration.cli.test_status_runs import in_progress
from watcher.cli.png import png_of
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.model import Snapshot
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    runs = [*(run_days_ago(number) for number in range(2, 9)), run_days_ago(1, 5, Outcome.FAILED)]
    unknown = replace(run_days_ago(9), start=None, stages=())
    known = [
        Snapshot(ref=item.ref, status=item.status, seen_after=NOW, first_seen_at=NOW) for item in (runs[-1], unknown)
    ]
    with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
        batch = Batch(snapshots=(*known, in_progress("w0")), runs=(*runs, unknown))
        asyncio.run(PollStore(database).record(batch))
    return runner(capsys)


def texts(path: Path) -> str:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own picture
    return " ".join(item.text or "" for item in root.iter())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("=shop",), ("shop0000001", "pop: 9 runs, 1 failed", "1 without a known start not drawn")),
        (("shop0000001", "pop", "v1"), ("learningFailed", "waiting", "learning", "5m")),
        (("shop0000001/pop/w0",), ("in progress", "learning")),
    ],
)
def test_a_picture_shows_its_runs(run: Run, tmp_path: Path, target: tuple[str, ...], words: tuple[str, ...]) -> None:
    shown = run("plot", *target, "-o", "picture.svg")
    assert (shown.status, shown.out) == (0, "")
    found = texts(tmp_path / "picture.svg")
    assert [word for word in words if word not in found] == []


def test_a_png_has_two_pixels_a_unit_and_shows_text(run: Run, tmp_path: Path) -> None:
    assert run("plot", "=shop", "-o", "picture.png").status == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG\r\n")
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">'
        '<text y="15" font-family="system-ui, sans-serif">{}</text></svg>'
    )
    png = png_of(svg.format("a"))
    assert struct.unpack(">II", png[16:24]) == (80, 40)
    assert png != png_of(svg.format(""))


@pytest.mark.parametrize("missing", ["resvg_py", "font_roboto"])
def test_without_the_extra_the_command_that_installs_it_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    shown = run("plot", "=shop", "-o", "picture.png")
    assert (shown.status, "pip install 'aitems-watcher[png]'" in shown.err) == (2, True), shown.err


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("=shop", "-o", "picture.pdf"), 2, "the name must end with .svg or .png"),
        (("=shop", "-o", "no/picture.png"), 1, "cannot write no/picture.png"),
        (("=shop", "--since", "1m", "-o", "picture.svg"), 1, "no run of shop0000001 has ended since"),
        (("shop0000001", "pop", "v9", "-o", "picture.svg"), 1, "no stage of a run of shop0000001 pop v9 is known"),
        (("nobody", "-o", "picture.svg"), 1, "there is no service 'nobody'"),
        (("=shop", "-o", "no/picture.svg"), 1, "cannot write no/picture.svg"),
    ],
)
def test_words_say_why_there_is_no_picture(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], status: int, text: str
) -> None:
    shown = run("plot", *arguments)
    assert (shown.status, text in " ".join(shown.err.split())) == (status, True), shown.err
    assert not list(tmp_path.glob("picture*"))
