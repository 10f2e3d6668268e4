"""An outage above the page of a service and of a training: sentences, and no codes of the watcher."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.cli.test_stats import NOW
from tests.integration.web.invented_store import make_store
from tests.integration.web.test_html import SHOP, SignedSite
from watcher.core.batch import Batch, IncidentRow
from watcher.core.incidents.model import Incident
from watcher.core.messages.advice import advice
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.model import ServiceRef
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

SERVICE = ServiceRef("main", "shop0000001")
SINCE = NOW - timedelta(minutes=20)
TARGETS = [SHOP, "/training/main/shop0000001/pop/w0"]


def site(folder: Path, *subjects: str) -> SignedSite:
    """Return the pages of a store whose poll fails, with open incidents about these subjects."""
    folder.mkdir(exist_ok=True)
    path = make_store(folder)
    state = PollState(
        key=SERVICE.subject,
        good_answered_at=SINCE,
        failures=7,
        failed_since=SINCE,
        cause=Cause.CONNECT,
        detail="connection refused",
    )
    rows = tuple(
        IncidentRow(
            subject=subject,
            seq=1,
            incident=Incident(
                id=f"inc_{subject}",
                subject=subject,
                cause=Cause.CONNECT,
                detail="connection refused",
                since=SINCE,
                last_good_at=None,
                opened_at=SINCE,
            ),
        )
        for subject in subjects
    )
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(polls=(state,), incident_rows=rows)))
    return SignedSite(path, None)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page))


@pytest.mark.parametrize("target", TARGETS)
def test_an_outage_is_one_box_of_sentences(tmp_path: Path, target: str) -> None:
    page = asyncio.run(site(tmp_path, SERVICE.subject).get(target)).body.decode()
    text = text_of(page)
    assert page.count('class="banner') == 1
    assert re.search(r"=shop has been unreachable since .{0,12}\d\d:\d\d", text), text
    assert "The answer is connection refused. What is below is the last known state." in text
    assert "Failed polls7 in a row" in text
    assert "service:main" not in text
    assert "open incident" not in text


@pytest.mark.parametrize("target", TARGETS)
def test_a_poll_that_fails_before_its_incident_is_a_sentence_too(tmp_path: Path, target: str) -> None:
    page = asyncio.run(site(tmp_path).get(target)).body.decode()
    text = text_of(page)
    assert page.count('class="banner') == 1
    assert "=shop cannot be polled: connection refused" in text
    assert re.search(r"It does not mean that a training failed\. It began at [\w :]+, [\w ]+ ago\.", text)
    assert advice(Cause.CONNECT) in text


def test_each_incident_that_includes_a_service_is_named_by_what_it_is_about(tmp_path: Path) -> None:
    subjects = ("account:main", "updates:main", "training:main/shop0000001/pop/w0", "training:main/other/pop/w0")
    text = text_of(asyncio.run(site(tmp_path, *subjects).get(SHOP)).body.decode())
    names = ["Account main", "Access to updates of account main", "=shop pop w0"]
    assert [name in text for name in names] == [True] * 3
    assert text.count("has been unreachable since") == 3


@pytest.mark.parametrize("target", TARGETS)
def test_the_bar_of_a_training_that_cannot_be_polled_is_dashed_after_the_last_answer(
    tmp_path: Path, target: str
) -> None:
    found = {
        subject: asyncio.run(site(tmp_path / name, subject).get(target)).body.decode()
        for name, subject in (("own", SERVICE.subject), ("other", "service:main/other"))
    }
    assert [page.count('class="tb-now"') for page in found.values()] == [1, 1]
    assert [page.count('class="tb-unk"') for page in found.values()] == [1, 0]
