"""The page of a service: each type with its plot, its progress, its next start, its usual duration and its updates."""

from __future__ import annotations

import asyncio
import html
import re
import shlex
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlencode

import pytest
from markupsafe import escape

from tests.integration.cli.test_stats import NOW, run_days_ago
from tests.integration.cli.test_status_runs import in_progress
from tests.integration.web.invented_store import make_store
from tests.integration.web.test_html import SHOP, SignedSite
from tests.unit.reports.facts import event
from watcher.core.batch import Batch
from watcher.core.durations.current_run import Bounds
from watcher.core.event import Kind
from watcher.core.training.model import TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.model import UpdateFacts, UpdateLog
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

DAY = timedelta(days=1)
HOSTILE = "a b&c='d' \\#\""


def ref(kind: str, version: str) -> TrainingRef:
    return TrainingRef("main", "shop0000001", kind, version)


def start(days: float) -> Bounds:
    at = NOW - days * DAY
    return Bounds(after=at - timedelta(seconds=30), before=at)


def retraining(kind: str, **facts: object) -> Retraining:
    of = RetrainingRef("main", "shop0000001", kind)
    return replace(Retraining(ref=of, since=NOW - 90 * DAY), **facts)  # type: ignore[arg-type]  # its fields


def facts(number: int, status: str) -> UpdateFacts:
    return UpdateFacts(
        version=f"p{number}",
        status=status,
        created_date="2026-11-20T10:00:00",
        finished_date="2026-11-20T10:12:00",
        counts={"inputUsersCnt": 4820 + number},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SignedSite:
    """Return the pages of a store with a regular type, one by a cycle with updates, and one with hostile words."""
    path = make_store(tmp_path_factory.mktemp("service"))
    # Long runs with HPO before, shorter ones without it since: the present ones resemble the latter.
    slow = [replace(run_days_ago(day, 180), ref=ref("relatedItem", f"d{day}"), hpo=True) for day in range(40, 20, -1)]
    short = [run_days_ago(day, 55 + day % 3 * 5) for day in range(20, 0, -1)]
    fast = [replace(run, ref=ref("relatedItem", run.ref.version), hpo=False) for run in short]
    other = replace(run_days_ago(2), ref=ref("personalRecommend", "one"))
    busy = replace(in_progress("w"), ref=ref("relatedItem", "now"))
    log = UpdateLog(statuses={"p1": "completed", "p2": "failed"})
    served = replace(in_progress("w"), ref=ref("personalRecommend", "one"), run=None, status="completed", updates=log)
    common = {"subject": served.ref.subject, "service": "shop0000001", "version": "one", "recorded_at": NOW}
    updates = [
        event(id="evt_update00001", seq=1, kind=Kind.UPDATE_SUCCEEDED, update=facts(1, "completed"), **common),
        event(id="evt_update00002", seq=2, kind=Kind.UPDATE_FAILED, update=facts(2, "failed"), **common),
    ]
    retrainings = (
        retraining("relatedItem", starts=tuple(start(day) for day in range(12, 0, -1))),
        retraining("personalRecommend", cycle=Cycle(period=timedelta(hours=6), since=NOW, last_update=start(0))),
    )
    strange = replace(served, ref=TrainingRef("main", HOSTILE, "pop", "one"), updates=None)
    batch = Batch(
        snapshots=(busy, served, strange), runs=(*slow, *fast, other), events=tuple(updates), retrainings=retrainings
    )
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(batch))
    return SignedSite(path, now=NOW)


async def group(site: SignedSite, kind: str) -> str:
    (found,) = re.findall(rf'<h2 id="t-\d">{kind}</h2>.*?</section>', await page_of(site, SHOP), re.DOTALL)
    return str(found)


async def page_of(site: SignedSite, target: str) -> str:
    if not site.cookie:
        await site.sign_in()
    answer = await site.get(target)
    assert answer.status == 200
    return answer.body.decode()


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page)))


async def test_a_type_has_the_usual_duration_that_its_messages_and_its_plot_name(site: SignedSite) -> None:
    assert "55 min to 65 min, 20 runs" in text_of(await group(site, "relatedItem"))
    plot = await page_of(site, "/plot/main/shop0000001.svg?type=relatedItem")
    assert re.search(r"40 runs, 0 failed, usually 55m to 1h5m \(20 runs\)", plot)


async def test_the_plot_of_a_type_has_its_runs_alone(site: SignedSite) -> None:
    one, every = [await page_of(site, f"/plot/main/shop0000001.svg{query}") for query in ("?type=relatedItem", "")]
    assert [text in every for text in ("relatedItem: ", "pop: ")] == [True, True]
    assert [text in one for text in ("relatedItem: ", "pop: ")] == [False, False]
    assert (await site.get("/plot/main/shop0000001.svg?type=none")).status == 404


async def test_a_training_in_progress_has_its_bar(site: SignedSite) -> None:
    found = await group(site, "relatedItem")
    assert 'class="tb-now"' in found
    assert re.search(r'aria-label="10 min elapsed, usually 55 min to 65 min"', found)
    assert "now learning, 10 minExpected end" in text_of(found)


async def test_a_type_says_how_often_it_retrains_by_which_rule_and_when_next(site: SignedSite) -> None:
    assert re.search(r"Retrainsevery 24 h, 12 starts knownnext by \w", text_of(await group(site, "relatedItem")))
    cycle = text_of(await group(site, "personalRecommend"))
    assert re.search(r"Retrainsevery 6 h, by the cycle of the servicenext by (\d+ \w+ )?\d\d:\d\d", cycle)
    assert "Retrains" not in text_of(await group(site, "pop"))


async def test_a_type_without_a_failure_names_its_last_good_version_and_its_age(site: SignedSite) -> None:
    found = await group(site, "relatedItem")
    assert re.search(r'Last good version</dt><dd><a href="[^"]*/relatedItem/v1"', found)
    assert "v124 h old" in text_of(found)
    assert "Last good version</dt>" not in await group(site, "pop")


async def test_the_updates_of_the_present_version_are_a_table(site: SignedSite) -> None:
    found = await group(site, "personalRecommend")
    rows = [text_of(row) for row in re.findall(r"<tr>(<td class=\"nb\">.*?)</tr>", found)]
    assert [re.search(r"p\d\w+", row) is not None for row in rows[:2]] == [True, True]
    assert "p2failed12 mininputUsersCnt 4822" in rows[0]
    assert "p1completed12 mininputUsersCnt 4821" in rows[1]
    assert "Updates of" not in await group(site, "relatedItem")


async def test_updates_are_shown_although_the_runs_are_older_than_the_page_goes_back(
    site: SignedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.web.html.service_page.run_lines", lambda *_: [])
    page = await page_of(site, f"{SHOP}?old")
    (found,) = re.findall(r'<h2 id="t-\d">personalRecommend</h2>.*?</section>', page, re.DOTALL)
    assert "p2failed12 min" in text_of(found)
    assert "every 6 h, by the cycle of the service" in text_of(found)


async def test_the_link_to_a_silence_keeps_the_blanks_and_quotation_marks_of_a_name(site: SignedSite) -> None:
    csrf = await site.sign_in()
    page = await page_of(site, f"/training/main/{quote(HOSTILE)}/pop/one")
    (query,) = re.findall(r'href="/silences\?([^"#]*)#add"', page)
    match = parse_qs(html.unescape(query))["match"][0]
    shown = await page_of(site, f"/silences?{html.unescape(query)}")
    assert f'name="match" required value="{escape(match)}"' in shown
    form = urlencode({"csrf": csrf, "match": match, "length": "1h", "reason": "load", "author": "kim"})
    assert (await site.post("/silences", form)).status == 303
    assert site.asked[-1][1]["match"] == {"kind": ["*"], "service": [HOSTILE], "type": ["pop"]}
    assert f"match={quote(shlex.quote(f'service={HOSTILE}'))}#add" in await page_of(
        site, f"/service/main/{quote(HOSTILE)}"
    )


async def test_a_quotation_mark_without_its_second_one_is_refused_in_words(site: SignedSite) -> None:
    csrf = await site.sign_in()
    form = urlencode({"csrf": csrf, "match": "type='my", "length": "1h", "reason": "load", "author": "kim"})
    answer = await site.post("/silences", form)
    assert answer.status == 400
    assert "A quotation mark has no second one." in answer.body.decode()
