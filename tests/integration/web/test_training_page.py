"""The page of a training beside the other runs of its service and type, as its message compares it."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.cli.test_stats import NOW, run_days_ago
from tests.integration.cli.test_status_runs import in_progress
from tests.integration.web.invented_store import make_store
from tests.integration.web.test_html import SignedSite
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

TYPE = "/training/main/shop0000001/personalRecommend"


def ref(version: str) -> TrainingRef:
    return TrainingRef("main", "shop0000001", "personalRecommend", version)


def ended(version: str, options: dict[str, object]) -> Snapshot:
    snapshot = replace(in_progress("w"), ref=ref(version), run=None, status="completed", record={"hpConfig": options})
    return replace(snapshot, first_seen_at=NOW - timedelta(days=20))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SignedSite:
    """Return the pages of a store with nine good runs, three failed ones, a good one, and one in progress."""
    path = make_store(tmp_path_factory.mktemp("training"))
    outcomes = {day: Outcome.FAILED if day in {4, 5, 6} else Outcome.COMPLETED for day in range(15, 2, -1)}
    runs = [replace(run_days_ago(day, outcome=how), ref=ref(f"d{day}")) for day, how in outcomes.items()]
    snapshots = [ended(run.ref.version, {"n": 1 if run.ref.version != "d4" else 2, "m": 0}) for run in runs]
    going = replace(in_progress("w"), ref=ref("now"), record={"hpConfig": {"n": 1, "m": 0}})
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(snapshots=(*snapshots, going), runs=tuple(runs))))
    return SignedSite(path, None)


async def page_of(site: SignedSite, version: str) -> str:
    answer = await site.get(f"{TYPE}/{version}")
    assert answer.status == 200
    return answer.body.decode()


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page))


def card(page: str, name: str) -> str:
    found = re.search(f'<section class="card"[^>]*id="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return found[1]


async def test_a_failure_says_its_place_in_the_row_the_last_good_version_and_what_differs(site: SignedSite) -> None:
    page = await page_of(site, "d4")
    (lead,) = re.findall(r'<p class="lead">(.*?)</p>', page)
    assert re.search(
        r"3rd failure in a row\. The last good version, d7, is \d+ d.* old\. 1 option differs from it\.", text_of(lead)
    )
    assert f'href="{TYPE}/d7"' in lead
    assert '<a href="#hp">1 option differs' in lead
    assert "Changed since then: n 1 → 2 (possible cause, a guess)." in text_of(card(page, "live-context"))


async def test_an_older_failure_is_compared_with_the_runs_before_it_alone(site: SignedSite) -> None:
    page = text_of(await page_of(site, "d5"))
    assert "2nd failure in a row. The last good version, d7," in page
    assert "No option differs from it." in page
    assert "1st failure after 9 good runs." in text_of(await page_of(site, "d6"))


async def test_the_context_of_a_failure_names_the_first_of_the_row_and_the_usual_duration(site: SignedSite) -> None:
    context = card(await page_of(site, "d4"), "live-context")
    assert re.search(r'First of them</dt><dd><a href="[^"]*/d6">', context)
    assert "Failures in a row3" in text_of(context)
    assert "56 min to 63 min, 9 runs" in text_of(context)


async def test_the_first_success_after_failures_says_so(site: SignedSite) -> None:
    assert "1st success after 3 failures." in await page_of(site, "d3")
    assert '<p class="lead">' not in await page_of(site, "d9")


async def test_a_training_in_progress_names_the_last_good_version(site: SignedSite) -> None:
    page = text_of(await page_of(site, "now"))
    assert "The last good version, d3, is" in page
    assert "before it failed" not in page


async def test_the_other_runs_are_the_ten_latest_of_the_type_without_the_shown_one(site: SignedSite) -> None:
    others = card(await page_of(site, "d4"), "live-others")
    assert re.findall(r"<code>(\w+)</code>", others) == ["d3", *(f"d{day}" for day in range(5, 14))]
    assert others.count("took 60 min") == 10
    assert "learningFailed:" in others
