"""Every letter of a page comes from the catalogues, or is data: a page in another language needs no other code.

The texts of both catalogues stand in marks. What is left without a mark is data of the invented store.
"""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.integration.web.invented_store import make_store
from tests.integration.web.test_html import EVIL, PAGES, SHOP, SignedSite
from tests.integration.web.test_trail import fill
from tests.unit.web.html.test_overview_page import NOW, overview, poll, status
from tests.unit.web.html.test_overview_states import page as outage_page
from tests.unit.web.html.test_overview_states import starting_page
from watcher.core.health.problems import Problem, ProblemCode
from watcher.core.messages.language.words import ENGLISH_WORDS
from watcher.reports.overview import Overview
from watcher.web.html.fleet.filter import OverviewFilter
from watcher.web.html.language.english import ENGLISH
from watcher.web.html.language.texts import Texts
from watcher.web.html.overview_page import overview_values
from watcher.web.html.renderer import Renderer
from watcher.web.html.session import Session

OPEN, CLOSE = "⟦", "⟧"
DATA = {
    # Names and addresses of the program, its files and its API.
    *("aitems-watcher", "API", "AiTEMS"),
    # Of the store: the account, the service, its types and versions, statuses as AiTEMS writes them, hpConfig.
    *("main", "shop", "pop", "relatedItem", "personalRecommend", "learning", "learningFailed", "completed", "hpConfig"),
    *("is_enabled", "item_top_n", "item", "top", "n", "is", "enabled", "false", "true", "HYPERLINK", "http", "x"),
    *("waiting", "requesting"),
    # Codes of the watcher: kinds of events and receivers, keys of matchers, receivers, events and deliveries.
    *("progress", "failed", "stuck", "log", "console", "hook", "service", "kind", "msg", "evt", "type"),
    # What people wrote.
    *("kim", "moving", "the", "data", "team", "gone"),
    # The units of durations in plots, as in the configuration.
    *("d", "h", "m", "s"),
    # The zone.
    *("UTC", "KST"),
    # What the machine, the network or a later version of AiTEMS says.
    *("refused", "the-detail"),
}


def marked(text: str) -> str:
    """Put each form of a text into marks."""
    return "|".join(f"{OPEN}{form}{CLOSE}" for form in text.split("|"))


def texts() -> Texts:
    words = replace(
        ENGLISH_WORDS,
        phrases=MappingProxyType({phrase: f"{OPEN}{text}{CLOSE}" for phrase, text in ENGLISH_WORDS.phrases.items()}),
        duration=lambda seconds: f"{OPEN}{ENGLISH_WORDS.duration(seconds)}{CLOSE}",
        day=lambda year, month, day: f"{OPEN}{ENGLISH_WORDS.day(year, month, day)}{CLOSE}",
        duration_range=lambda low, high: f"{OPEN}{ENGLISH_WORDS.duration_range(low, high)}{CLOSE}",
        age=lambda seconds: f"{OPEN}{ENGLISH_WORDS.age(seconds)}{CLOSE}",
        ordinal=lambda number: f"{OPEN}{ENGLISH_WORDS.ordinal(number)}{CLOSE}",
    )
    return Texts({key: marked(text) for key, text in ENGLISH.items()}, words)


def unmarked(page: str) -> set[str]:
    """Return the words of a page that are in no mark: of its text, and of attributes that are read aloud or shown."""
    page = re.sub(r'<span lang="en">.*?</span>|<code>.*?</code>|<style>.*?</style>', "", page, flags=re.DOTALL)
    shown = [*re.findall(r'(?:aria-label|alt|title|placeholder|data-l)="([^"]*)"', page), re.sub("<[^>]+>", " ", page)]
    found = html.unescape("\n".join(shown))
    while (inner := re.sub(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", " ", found)) != found:
        found = inner
    return {word for word in re.findall(r"[^\W\d_][\w-]*", found) if not re.search(r"\d", word)} - DATA


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_store(tmp_path_factory.mktemp("marked"))
    asyncio.run(fill(path))
    return path


@pytest.fixture(scope="module")
def site(store: Path) -> SignedSite:
    return SignedSite(store, None, Renderer(texts()))


@pytest.mark.parametrize("target", [*PAGES, f"/training/main/shop0000001/pop/{EVIL}"])
async def test_each_letter_of_a_page_is_data_or_of_the_catalogue(site: SignedSite, target: str) -> None:
    answer = await site.get(target)
    assert answer.status == 200
    assert unmarked(answer.body.decode()) == set()


async def test_a_badge_a_plot_and_an_error_are_of_the_catalogue_too(site: SignedSite) -> None:
    plots = ("/plot/main/shop0000001.svg", "/plot/main/shop0000001/pop/w0.svg")
    for target in (*plots, SHOP.replace("/service/", "/badge/") + ".svg", "/nothing-here", "/service/main/none"):
        assert unmarked((await site.get(target)).body.decode()) == set()


async def test_the_forms_are_of_the_catalogue_too(store: Path) -> None:
    signed = SignedSite(store, "sesame", Renderer(texts()))
    await signed.sign_in()
    page = (await signed.get("/deliveries")).body.decode()
    drop = re.search(r'href="(/deliveries/drop\?id=msg_\w+)"', page)
    assert drop is not None
    for target in ("/deliveries", "/silences", "/", drop[1]):
        assert unmarked((await signed.get(target)).body.decode()) == set(), target


def states() -> list[Overview]:
    problems = tuple(Problem(code=code, text="the-detail") for code in ProblemCode)
    return [
        outage_page(failures=7),
        starting_page(),
        overview(status(polls=(poll(1),), problems=problems)),
        overview(
            status(problems=(Problem(code=ProblemCode.STORE_FAILING, text="the-detail", store_fault="disk-full"),))
        ),
    ]


@pytest.mark.parametrize("number", range(4))
def test_each_letter_of_a_state_of_the_overview_is_too(number: int) -> None:
    renderer = Renderer(texts())
    values = overview_values(states()[number], OverviewFilter(), renderer.texts)
    page = renderer.html("overview.html", Session(can_sign_in=False), NOW, **values)
    assert unmarked(page) == set()


@pytest.mark.parametrize("template", ["login.html", "error.html"])
def test_the_other_pages_are_of_the_catalogue(template: str) -> None:
    values = {"problem": "", "next": "/", "name": "", "headline": "", "detail": "", "back": "/"}
    page = Renderer(texts()).html(template, Session(can_sign_in=True), NOW, **values)
    assert unmarked(page) == set()
