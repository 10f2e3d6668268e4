"""The rows that a page reads: those of its service or training, and none about the watcher itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.event import listen

from tests.integration.cli.test_stats import NOW
from tests.integration.web.invented_store import make_store, sources
from watcher.core.health.problems import RUNNING
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reading.one_training import read_training_with_problems
from watcher.store.views import Views, open_views
from watcher.web.api.sources import Sources
from watcher.web.html.service_page import read_service_page

SERVICE = ServiceRef("main", "shop0000001")
READS: dict[str, Callable[[Sources, Views], object]] = {
    "service": lambda found, views: read_service_page(found.config(), views, RUNNING, found.place, SERVICE, NOW),
    "training": lambda found, views: read_training_with_problems(
        found.config(), views, RUNNING, found.place, TrainingRef(SERVICE.account, SERVICE.service, "pop", "w0"), NOW
    ),
}


@pytest.mark.parametrize("page", READS)
def test_a_page_of_a_service_or_a_training_reads_nothing_about_the_watcher(tmp_path: Path, page: str) -> None:
    found, statements = sources(make_store(tmp_path), NOW), list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with open_views(found.place.url) as views:
        listen(views.connection, "before_cursor_execute", note)
        READS[page](found, views)
    tables = {table for statement in statements for table in re.findall(r"(?:FROM|JOIN) ([a-z_]+)", statement)}
    assert {"poll", "training", "run", "incident", "silence"} <= tables
    assert tables.isdisjoint({"meta", "deviation", "receiver", "counter", "line"})
    assert not any("count" in statement and "FROM delivery" in statement for statement in statements)
