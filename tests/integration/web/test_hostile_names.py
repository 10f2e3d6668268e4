"""R28: a training or service of any name has its page, pictures and answer, at a link that survives a browser."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from tests.integration.cli.test_stats import NOW, run_days_ago
from tests.integration.cli.test_status_runs import in_progress
from tests.integration.web.invented_store import ask, make_store, sources
from watcher.aitems.record import MAX_NAME_LENGTH
from watcher.core.batch import Batch
from watcher.core.training.model import TrainingRef
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database
from watcher.web.api.routes import api_routes
from watcher.web.encoded_paths import EncodedPaths, segment
from watcher.web.html.renderer import Renderer
from watcher.web.html.routes import PageRoutes
from watcher.web.html.session import Sessions
from watcher.web.html.site import Site
from watcher.web.listener import HEADER_BYTES_MAX

DOTS = [".", "..", "..."]
NAMES = [
    *DOTS,
    *("../../metrics", "a/b", "/", "//evil.example", "a\\..\\b", "~2E", "~", "%2e%2e", "%2F"),
    *('"><script>alert(1)</script>', "{{ 1 }}", "a?b#c", "a\nb\t", "김 치", "x.svg", "'onload=alert(1)"),
]
REORDERING = "words\u202e\u2066\u200f of another order"

LONGEST = "\U0001f600" * MAX_NAME_LENGTH

TURNING = "ok\u202e\x1b[31m\u200b com\u2066pleted"
TRAINING_OF_TURNING = f"/training/main/{segment(TURNING)}/pop/{segment(TURNING)}"
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    path = make_store(tmp_path_factory.mktemp("names"))
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(named()))
    return pages(path)


def named() -> Batch:
    """Return a training of each name in a service of that name, and a run that has ended."""
    refs = [TrainingRef("main", name, "pop", name) for name in (*NAMES, TURNING, REORDERING, LONGEST)]
    snapshots = tuple(replace(in_progress("x"), ref=ref) for ref in refs)
    return Batch(snapshots=snapshots, runs=tuple(replace(run_days_ago(1), ref=ref) for ref in refs))


def pages(path: Path) -> ASGIApp:
    async def act(_command: str, _arguments: object) -> dict[str, object]:
        return {}

    found = sources(path, NOW)
    site = Site(sources=found, sessions=Sessions(None), renderer=Renderer(), act=act)
    return EncodedPaths(Starlette(routes=[*api_routes(found), *PageRoutes(site).routes()]))


def survives(path: str) -> bool:
    """Return whether a browser, and a proxy that decodes a path, leave its parts as they are (URL Standard, 4.4)."""
    parts = path.split("/")
    dots = {".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"}
    return not any(part.lower() in dots for part in parts) and len(unquote(path).split("/")) == len(parts)


async def test_no_page_has_what_turns_or_hides_text_and_its_forms_keep_the_name(app: ASGIApp) -> None:
    for path in (f"/service/main/{segment(TURNING)}", TRAINING_OF_TURNING):
        page = (await ask(app, path)).body.decode()
        assert "ok completed" in page
        assert not STEERING.search(page.replace("\n", ""))
    form = (await ask(app, f"/?q={quote(TURNING)}")).body.decode()
    assert f'value="{TURNING}"' in form


@pytest.mark.parametrize("name", NAMES)
async def test_the_link_on_a_page_leads_to_the_training_of_that_name(app: ASGIApp, name: str) -> None:
    service = f"/service/main/{segment(name)}"
    listed = (await ask(app, service)).body.decode()
    links = {unescape(link) for link in re.findall(r'href="(/training/[^"]*)"', listed)}
    assert links == {f"/training/main/{segment(name)}/pop/{segment(name)}"}
    for link in (service, *links):
        answer = await ask(app, link)
        assert (answer.status, survives(link)) == (200, True)
        assert name in unescape(answer.body.decode())
        assert b"<script>alert" not in answer.body


@pytest.mark.parametrize("page", ["/service/main/{0}", "/training/main/{0}/pop/{0}", "/{0}"])
async def test_a_name_reorders_no_text_of_a_page(app: ASGIApp, page: str) -> None:
    answer = await ask(app, page.format(segment(REORDERING)))
    assert REORDERING[:5] in answer.body.decode()
    assert set(answer.body.decode()).isdisjoint("\u202e\u2066\u200f")


@pytest.mark.parametrize("name", NAMES)
async def test_each_picture_of_a_page_is_there(app: ASGIApp, name: str) -> None:
    for page in (f"/service/main/{segment(name)}", f"/training/main/{segment(name)}/pop/{segment(name)}"):
        pictures = re.findall(r'src="(/plot/[^"]*)"', (await ask(app, page)).body.decode())
        assert pictures
        for picture in map(unescape, pictures):
            answer = await ask(app, picture)
            assert (answer.status, answer.headers["content-type"], survives(picture)) == (200, "image/svg+xml", True)
            assert b"<script" not in answer.body
    # It is of no watch, so it has no badge; but this is its name.
    badge = await ask(app, f"/badge/main/{segment(name)}.svg")
    assert (badge.status, f"there is no service {name}" in unescape(badge.body.decode())) == (404, True)


@pytest.mark.parametrize("name", NAMES)
async def test_the_api_has_it_by_its_escaped_and_by_its_encoded_name(app: ASGIApp, name: str) -> None:
    # A name with an escape in it must be escaped itself.
    written = {segment(name)} if name == "~2E" else {segment(name), quote(name, safe="")}
    for part in written:
        training = await ask(app, f"/api/v1/trainings/main/{part}/pop/{part}")
        assert training.status == 200
        assert json.loads(training.body)["training"]["version"] == name
        assert (await ask(app, f"/api/v1/services/main/{part}")).status == 200


@pytest.mark.parametrize("path", ["runs", "trainings"])
async def test_the_next_of_an_answer_leads_past_a_training_of_any_name(app: ASGIApp, path: str) -> None:
    found: list[str] = []
    target = f"/api/v1/{path}?limit=1"
    while True:
        # A client of its own for each request: one that asks this often would have to wait.
        answer = json.loads((await ask(app, target, client=f"10.0.0.{len(found)}")).body)
        found += [item["version"] for item in answer[path]]
        if not answer[path] or answer["next"] is None:
            break
        target = f"/api/v1/{path}?limit=1&after={quote(answer['next'], safe='')}"
        assert len(target) < HEADER_BYTES_MAX - 500
    assert {*NAMES, TURNING, REORDERING, LONGEST} <= set(found)
    assert len(set(found)) == len(found)
