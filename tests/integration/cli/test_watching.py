"""``status --watch`` and the overview page show the same: parts, words, and hostile text as text."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.integration.web.invented_store import make_store, sources
from tests.unit.reports.facts import EVIL, STEERING, announced, delivery_outcome
from watcher.cli.text.layout import Cell, Table
from watcher.cli.text.output import Screen
from watcher.cli.watching.overview import show_overview
from watcher.core.delivery.reason import read_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.health.problems import DaemonHealth, DaemonState, Problem, ProblemCode
from watcher.core.incidents.model import Incident
from watcher.core.polling.result import Cause
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.silence import Silence
from watcher.core.text_width import width
from watcher.core.training.absence import Missing
from watcher.reading.overview import read_overview
from watcher.reports.overview import OpenKind, OpenProblem, Overview, ReceiverRow
from watcher.store.runs.latest import TypeRef
from watcher.store.views import open_views
from watcher.web.html.fleet.filter import OverviewFilter
from watcher.web.html.overview_page import overview_values
from watcher.web.html.renderer import Renderer
from watcher.web.html.session import Session

TAG = re.compile(r"<[^>]*>")
RESULTS = re.compile(r"[oxp]{1,10}")
ONLY_HERE = {"Type"}
"""A heading that the page has no column for: a type is below its training."""


class Recorded(Screen):
    """Keeps each text that is written."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), terminal=False, colour=False, width=200)
        self.texts: list[str] = []

    def line(self, *cells: Cell | str) -> None:
        self.texts += [cell if isinstance(cell, str) else cell.text for cell in cells]

    def table(self, table: Table, *, headings: bool = True) -> None:
        columns = [column if isinstance(column, str) else column.heading for column in table.columns]
        self.texts += [*(columns if headings else []), *(cell.text for row in table.rows for cell in row)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    return read_page(make_store(tmp_path_factory.mktemp("watching")))


def read_page(path: Path) -> Overview:
    found = sources(path)
    with open_views(found.place.url) as views:
        return read_overview(
            found.config(), views, DaemonHealth(state=DaemonState.RUNNING), found.place, found.utc_now()
        )


def with_everything(page: Overview, text: str) -> Overview:
    """Add one of each part that the store has none of, with a text of somebody else in it."""
    at, of = page.at, TypeRef("main", "shop0000001", text)
    outage = Incident(
        id="inc_1",
        subject="account:main",
        cause=Cause.CONNECT,
        detail=text,
        since=at - timedelta(minutes=9),
        last_good_at=None,
        opened_at=at,
    )
    failing = ReceiverState(name=text, failing_since=at - timedelta(hours=1), reason=read_reason("gone"))
    notified = announced(delivery_outcome(receiver=text))
    late = OpenProblem(
        kind=OpenKind.OVERDUE, of=of, version=None, status="start", since=at, missing=Missing.START, event=notified
    )
    problem = Problem(code=ProblemCode.WEB_NOT_LISTENING, text=text)
    daemon = DaemonHealth(state=DaemonState.RUNNING, problems=(problem,))
    silence = replace(page.silences[0], reason=text, author=text) if page.silences else a_silence(text, at)
    return replace(
        page,
        status=replace(page.status, incidents=(outage,), daemon=daemon),
        problems=[*page.problems, late],
        receivers=[
            *page.receivers,
            ReceiverRow(name=text, kind="", failing=failing, waiting=2, dead=1),
            ReceiverRow(name="dead", kind="log", failing=None, dead=1),
        ],
        silences=(silence,),
        outage_events={"inc_1": notified},
    )


def a_silence(text: str, at: datetime) -> Silence:
    return Silence(
        id="sil_1", match=Matcher(patterns={"type": (text,)}), starts_at=at, ends_at=at, author=text, reason=text
    )


def html(page: Overview) -> str:
    renderer = Renderer()
    values: Mapping[str, Any] = overview_values(page, OverviewFilter(), renderer.texts)
    return renderer.html("overview.html", Session(can_sign_in=False), page.at, live="/", **values)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("everything", [False, True])
def test_each_text_of_the_terminal_is_on_the_page(page: Overview, *, everything: bool) -> None:
    shown, out = with_everything(page, "a & b <c>") if everything else page, Recorded()
    show_overview(shown, None, out)
    on_page = squeezed(unescape(TAG.sub("", html(shown))))
    texts = {text for text in out.texts if len(text.strip(" ,.:")) > 1 and not RESULTS.fullmatch(text)} - ONLY_HERE
    assert len(texts) > 30
    assert [text for text in texts if squeezed(text) not in on_page] == []


@pytest.mark.parametrize("everything", [False, True])
def test_each_part_of_the_page_is_on_the_terminal(page: Overview, *, everything: bool) -> None:
    shown, out = with_everything(page, "a") if everything else page, Recorded()
    show_overview(shown, None, out)
    parts = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", html(shown))
    assert len(parts) > 5
    assert [part for part in parts if unescape(TAG.sub("", part)) not in out.texts] == []


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_hostile_text_is_inert_and_each_line_fits(page: Overview, columns: int, *, colour: bool) -> None:
    stream = io.StringIO()
    shown = with_everything(page, EVIL + "뉴스" * 60)
    show_overview(shown, None, Screen(stream, terminal=True, colour=colour, width=columns, wrapped=True))
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()) if colour else stream.getvalue()
    assert not STEERING.search(text)
    assert "[bold]markup[/bold]" in squeezed(text)
    assert max(map(width, text.split("\n"))) <= columns
