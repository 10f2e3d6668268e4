"""The API on a real store: each path answers as its description says, and wrong requests are refused in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.types import ASGIApp

from tests.integration.cli.test_stats import NOW
from tests.integration.web.invented_store import Answer, api, ask, make_store
from tests.support.paths import ROOT
from watcher.core.timestamps import to_text
from watcher.store.epoch import new_epoch
from watcher.store.sqlite.database import open_database
from watcher.web import store_reader
from watcher.web.api.openapi import PATHS, document

SHOP = "shop0000001"
TRAINING = f"/trainings/main/{SHOP}/pop/w0"
FULL = [
    ("", ""),
    ("/openapi.json", "/openapi.json"),
    ("/health", "/health"),
    ("/status", "/status"),
    ("/status?failed=true&in_progress=true&service=shop*&limit=2", "/status"),
    (f"/services/main/{SHOP}", "/services/{account}/{service}"),
    ("/trainings", "/trainings"),
    (f"/trainings?service=main/{SHOP}&status=learning&phase=in-progress&gone=true", "/trainings"),
    (TRAINING, "/trainings/{account}/{service}/{type}/{version}"),
    ("/runs", "/runs"),
    ("/events", "/events"),
    ("/events?after=latest&kind=failed&kind=gone&since=2026-01-01T00:00:00%2B09:00", "/events"),
    ("/deliveries", "/deliveries"),
    ("/deliveries?state=pending&receiver=hook&id=msg_", "/deliveries"),
    ("/silences", "/silences"),
    ("/silences?all=true", "/silences"),
    ("/actions", "/actions"),
    ("/actions?action=silence&action=test&since=20d&limit=2", "/actions"),
]


VALUES: Mapping[str, Callable[[Mapping[str, Any]], st.SearchStrategy[str]]] = {
    "date-time": lambda _: st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    "boolean": lambda _: st.sampled_from(["true", "false"]),
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]).map(str),
    "string": lambda _: st.text(max_size=40) | st.just("with\0nul"),
}
"""Values of a parameter by the format or the type of its schema."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def app(path: Path) -> ASGIApp:
    return api(path)


def fits(answer: Answer, name: str) -> dict[str, Any]:
    """Check an answer against the description of its path; return its body."""
    described = document()
    responses = described["paths"][f"/api/v1{name}"]["get"]["responses"]
    content = responses[str(answer.status)]["content"][answer.headers["content-type"]]
    Draft202012Validator({**content["schema"], "components": described["components"]}).validate(json.loads(answer.body))
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize(("target", "name"), FULL)
async def test_each_path_answers_as_described(app: ASGIApp, target: str, name: str) -> None:
    answer = await ask(app, f"/api/v1{target}")
    assert answer.status == 200, answer.body
    assert fits(answer, name)


def test_each_described_path_is_tried() -> None:
    assert {name for _target, name in FULL} == set(PATHS)


async def pages(app: ASGIApp, target: str, name: str) -> list[list[dict[str, Any]]]:
    """Return the items of each page of a list."""
    found, after = [], ""
    while True:
        answer = await ask(app, f"/api/v1{target}&after={quote(after, safe='')}" if after else f"/api/v1{target}")
        page = fits(answer, target.partition("?")[0])
        found.append(page[name])
        if not page["next"] or page.get("more") is False:
            return found
        after = page["next"]


@pytest.mark.parametrize(
    ("target", "name", "key"),
    [
        ("/trainings?limit=3", "trainings", ("version",)),
        ("/runs?limit=3", "runs", ("version", "ended_before")),
        ("/events?limit=3", "events", ("id",)),
    ],
)
async def test_pages_have_every_item_once_and_in_order(
    app: ASGIApp, target: str, name: str, key: tuple[str, ...]
) -> None:
    found = await pages(app, target, name)
    assert max(map(len, found)) == 3
    items = [tuple(item[part] for part in key) for page in found for item in page]
    (whole,) = await pages(app, target.replace("limit=3", "limit=1000"), name)
    assert items == [tuple(item[part] for part in key) for item in whole]
    assert len(items) == len(set(items)) > 6


async def test_latest_begins_behind_every_event(app: ASGIApp) -> None:
    latest = fits(await ask(app, "/api/v1/events?after=latest"), "/events")
    assert (latest["events"], latest["more"]) == ([], False)
    assert fits(await ask(app, f"/api/v1/events?after={latest['next']}"), "/events") == latest


@pytest.mark.parametrize(
    ("target", "status", "code", "words"),
    [
        ("/events?aftre=1", 400, "bad-parameter", "aftre is not known; the parameters are: after, kind"),
        ("/events?after=1", 400, "bad-parameter", "no cursor"),
        ("/events?after=abc.1", 410, "other-store", "the cursor is of another store; begin again"),
        ("/events?kind=fail", 400, "bad-parameter", "write one of appeared"),
        ("/events?since=yesterday", 400, "bad-parameter", "or 24h"),
        ("/events?since=2026-01-01T00:00:00", 400, "bad-parameter", "with its zone"),
        ("/runs?limit=0", 400, "bad-parameter", "from 1 to 1000"),
        ("/runs?limit=1&limit=2", 400, "bad-parameter", "more than once"),
        ("/runs?after=x", 400, "bad-parameter", "no next of an earlier answer"),
        ("/trainings?service=shop", 400, "bad-parameter", "write account/service"),
        ("/trainings?gone=yes", 400, "bad-parameter", "write true or false"),
        ("/trainings/main/shop/pop/v1", 404, "not-found", "there is no training"),
        ("/services/main/nobody", 404, "not-found", "there is no service nobody"),
        ("/silence", 404, "no-such-path", "/api/v1/openapi.json"),
    ],
)
async def test_a_wrong_request_says_what_is_wrong(
    app: ASGIApp, target: str, status: int, code: str, words: str
) -> None:
    answer = await ask(app, f"/api/v1{target}")
    found = json.loads(answer.body)
    assert (answer.status, found["status"], found["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in found["detail"]


def test_a_cursor_of_before_a_restore_says_which_restore(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(database.write(lambda connection: new_epoch(connection, "restored", NOW)))
    answer = asyncio.run(ask(api(path), "/api/v1/events?after=abc.1"))
    found = json.loads(answer.body)
    assert (answer.status, found["code"]) == (410, "store-restored")
    restored = f"of another store, or of this one before it was restored at {to_text(NOW)}; begin again"
    assert restored in found["detail"]


async def test_an_answer_that_the_client_has_is_not_sent_again(app: ASGIApp) -> None:
    first = await ask(app, "/api/v1/silences")
    assert json.loads(first.body)["silences"][0]["by"] == "kim"
    again = await ask(app, "/api/v1/silences", {"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_a_client_that_asks_too_often_waits_and_another_does_not(app: ASGIApp) -> None:
    answers = [await ask(app, "/api/v1") for _ in range(80)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert (await ask(app, "/api/v1", client="10.0.0.9")).status == 200


async def test_too_many_waiting_reads_are_refused(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_reader, "WAITING_MAX", 0)
    answer = await ask(app, "/api/v1/silences")
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "busy")


async def test_a_store_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "here.db"
    path.write_bytes(b"no database" * 1000)
    answer = await ask(api(path), "/api/v1/runs")
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "store-unreadable")


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Return values that a schema of a parameter describes."""
    if "anyOf" in schema:
        return st.one_of([values(one) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "pattern" in schema:
        # Python's ``$`` would also match before a line break at the end.
        return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z")
    if "items" in schema:
        return values(schema["items"])
    return VALUES[schema.get("format", schema["type"])](schema)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request that was drawn: the described path, the target, and whether all its parameters are as described."""

    name: str
    target: str
    valid: bool


@st.composite
def requests(draw: st.DrawFn) -> Drawn:
    """Draw a request, with parameters as the path describes them, or with others."""
    name = draw(st.sampled_from(sorted(PATHS)))
    described = document()["paths"][f"/api/v1{name}"]["get"].get("parameters", [])
    filled = name
    for part in [item["name"] for item in described if item["in"] == "path"]:
        filled = filled.replace(f"{{{part}}}", quote(draw(st.text(min_size=1, max_size=12)), safe=""))
    known = [item for item in described if item["in"] == "query"]
    chosen = draw(st.lists(st.sampled_from(known), max_size=3, unique_by=lambda item: item["name"])) if known else []
    valid = draw(st.booleans())
    query = [(item["name"], draw(values(item["schema"]) if valid else st.text(max_size=40))) for item in chosen]
    query += [] if valid else [("unknown", "1")]
    return Drawn(name, f"/api/v1{filled}?{urlencode(query, errors='surrogatepass')}", valid)


@settings(max_examples=150, deadline=None)
@given(drawn=requests())
async def test_each_request_gets_an_answer_that_its_path_describes(path: Path, drawn: Drawn) -> None:
    answer = await ask(api(path), drawn.target)
    fits(answer, drawn.name)
    # A name in the path may be unknown, and a cursor may be of another store.
    assert answer.status in ({200, 404, 410} if drawn.valid else {400}), drawn.target


def test_the_description_in_the_documents_is_the_served_one() -> None:
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == document()
