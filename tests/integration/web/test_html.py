"""The pages on a real store: each answers, hostile text stays text, and forms act only for who signed in here."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp

from tests.integration.web.invented_store import Answer, ask, make_store, sources
from watcher.control.protocol import ControlError
from watcher.core.secret import Secret
from watcher.reading.overview import read_overview
from watcher.reports.overview import Overview
from watcher.web.encoded_paths import EncodedPaths
from watcher.web.html.renderer import Renderer
from watcher.web.html.routes import PageRoutes
from watcher.web.html.session import Sessions
from watcher.web.html.site import Site
from watcher.web.pages import Guard

SHOP = "/service/main/shop0000001"
EVIL = "%3DHYPERLINK(%22http%3A%2F%2Fx%22%3B%22%0A%2C%22)"
PAGES = [
    "/",
    "/?q=shop&label=a%3Db",
    "/services",
    "/services?status=in-progress&page=2",
    SHOP,
    "/training/main/shop0000001/pop/w0",
    "/deliveries",
    "/silences",
]


class SignedSite:
    """The pages with a token, and the operations that they asked for."""

    def __init__(self, path: Path, token: str | None = "sesame", renderer: Renderer | None = None) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        secret = None if token is None else lambda: Secret(token)
        sessions, found = Sessions(secret), sources(path)
        site = Site(sources=found, sessions=sessions, renderer=renderer or Renderer(), act=self.act)

        def is_signed_in(request: Request) -> bool:
            return sessions.of(request, found.utc_now()).signed_in

        self.app: ASGIApp = EncodedPaths(Guard(Starlette(routes=PageRoutes(site).routes()), secret, is_signed_in))
        self.cookie = ""

    async def act(self, command: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
        if arguments.get("id") == "gone":
            raise ControlError("it is over")
        self.asked.append((command, arguments))
        return {}

    async def get(self, target: str) -> Answer:
        return await ask(self.app, target, {"Cookie": self.cookie, "Accept": "text/html"})

    async def post(self, target: str, form: str, **headers: str) -> Answer:
        given = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded", **headers}
        return await ask(self.app, target, given, method="POST", body=form.encode())

    async def sign_in(self) -> str:
        """Sign in and return the value that forms must have."""
        answer = await self.post("/login", "token=sesame&name=kim&next=/silences")
        assert (answer.status, answer.headers["location"]) == (303, "/silences")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="(\w+)"', (await self.get("/silences")).body.decode())
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("target", PAGES)
async def test_each_page_answers_without_a_script_or_style_of_its_own(path: Path, target: str) -> None:
    answer = await SignedSite(path, None).get(target)
    text = answer.body.decode()
    assert answer.status == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?! src=\"/static/live.js\" defer></script>)|<style| style=| on\w+=", text) == []
    assert len(answer.body) < 100_000


async def test_hostile_text_of_aitems_stays_text(path: Path) -> None:
    page = (await SignedSite(path, None).get(f"/training/main/shop0000001/pop/{EVIL}")).body.decode()
    assert "=HYPERLINK(&#34;http://x&#34;" in page
    assert '=HYPERLINK("' not in page


async def test_a_service_that_a_filter_brings_forward_has_its_results(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were far down the list of a large fleet.
    monkeypatch.setattr("watcher.reading.overview.ROWS", 0)
    monkeypatch.setattr("watcher.web.html.routes.READ_ROWS", 0)
    for target in ("/?q=shop", "/services"):
        page = (await SignedSite(path, None).get(target)).body.decode()
        assert re.search(r"Latest \d+: \d+ completed", page), target


@pytest.mark.parametrize(
    "target",
    [
        "/nope",
        "/service/main/none",
        "/training/main/shop0000001/pop/none",
        "/static/english.py",
        "/deliveries/drop?id=x",
    ],
)
async def test_a_page_that_does_not_exist_says_so(path: Path, target: str) -> None:
    answer = await SignedSite(path, None).get(target)
    assert (answer.status, b"There is no such page" in answer.body) == (404, True)


@pytest.mark.parametrize("target", ["/plot/main/shop0000001.svg", "/plot/main/shop0000001/pop/w0.svg"])
async def test_a_picture_is_the_one_of_the_command(path: Path, target: str) -> None:
    answer = await SignedSite(path, None).get(target)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.body.startswith(b"<svg")


@pytest.mark.parametrize("target", ["/plot/main/shop0000001.svg", "/plot/main/shop0000001/pop/w0.svg"])
async def test_a_picture_permits_its_own_style_alone_and_has_a_form_for_a_phone(path: Path, target: str) -> None:
    answer, narrow = [await SignedSite(path, None).get(f"{target}{query}") for query in ("", "?narrow=1")]
    style = re.search(rb"<style>(.*)</style>", answer.body)
    assert style is not None
    source = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert f"style-src 'sha256-{source}';" in answer.headers["content-security-policy"]
    assert [b'width="880"' in answer.body, b'width="300"' in narrow.body] == [True, True]


async def test_a_badge_names_the_gravest_problem_of_a_service(path: Path) -> None:
    answer = await SignedSite(path, None).get("/badge/main/shop0000001.svg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert b"<title>=shop: pop failed</title>" in answer.body
    assert (await SignedSite(path, None).get("/badge/main/none.svg")).status == 404


async def test_without_the_token_a_browser_gets_the_form_and_a_program_a_refusal(path: Path) -> None:
    site = SignedSite(path)
    answer = await site.get("/deliveries?a=b")
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2Fdeliveries%3Fa%3Db")
    assert (await ask(site.app, "/deliveries")).status == 401
    assert (await site.get("/login")).status == 200


async def test_a_wrong_token_is_refused_and_soon_only_slowly(path: Path) -> None:
    site = SignedSite(path)
    found = [(await site.post("/login", "token=wrong")).status for _ in range(7)]
    assert found == [403] * 5 + [429] * 2


async def test_many_people_may_sign_in_from_the_address_of_one_proxy(path: Path) -> None:
    site = SignedSite(path)
    for _ in range(8):
        await site.sign_in()
        site.cookie = ""


@pytest.mark.parametrize(("target", "status"), [("/login?next=//[", 200), ("/live?page=/service/main/none", 404)])
async def test_an_address_of_no_page_is_no_fault_of_ours(path: Path, target: str, status: int) -> None:
    site = SignedSite(path)
    await site.sign_in()
    assert (await site.get(target)).status == status


async def test_a_silence_is_added_and_ended_with_its_author(path: Path) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    form = f"csrf={csrf}&match=service%3Dshop0000001+type%3Dpop&length=2h&reason=load&author=dana"
    assert (await site.post("/silences", form)).status == 303
    assert (await site.post("/silences/end", f"csrf={csrf}&id=sil_1")).status == 303
    match = {"kind": ["*"], "service": ["shop0000001"], "type": ["pop"]}
    assert site.asked == [
        ("silence.add", {"match": match, "seconds": 7200.0, "why": "load", "by": "dana"}),
        ("silence.end", {"id": "sil_1", "by": "kim"}),
    ]


async def test_a_delivery_is_retried_or_dropped(path: Path) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    page = (await site.get("/deliveries")).body.decode()
    found = re.search(r'href="/deliveries/drop\?id=(msg_\w+)"', page)
    assert found is not None
    assert found[1] in (await site.get(f"/deliveries/drop?id={found[1]}")).body.decode()
    await site.post("/deliveries/retry", f"csrf={csrf}&id={found[1]}")
    await site.post("/deliveries/drop", f"csrf={csrf}&id={found[1]}")
    assert [command for command, _ in site.asked] == ["deliveries.retry", "deliveries.drop"]


REFUSED: list[tuple[str, str, dict[str, str], int]] = [
    ("/silences", "csrf=x&match=kind%3D*&length=1h&reason=r&author=a", {}, 403),
    ("/silences/end", "id=sil_1", {}, 403),
    ("/silences/end", "csrf={csrf}&id=sil_1", {"Origin": "http://evil.example"}, 403),
    ("/silences/end", "csrf={csrf}&id=sil_1", {"Origin": "null"}, 403),
    ("/silences/end", "csrf={csrf}&id=sil_1", {"Origin": "http://["}, 403),
    ("/silences/end", "csrf={csrf}&id=sil_1", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("/silences/end", "csrf={csrf}&id=gone", {}, 409),
    ("/silences", "csrf={csrf}&match=kind%3D*&length=1h&reason=&author=a", {}, 400),
    ("/silences", "csrf={csrf}&match=colour%3Dred&length=1h&reason=r&author=a", {}, 400),
    ("/silences", "csrf={csrf}&match=kind%3D*&length=soon&reason=r&author=a", {}, 400),
    ("/silences", "csrf={csrf}&match=" + "x" * 20_000, {}, 413),
    ("/silences", "csrf={csrf}", {"Content-Type": "text/plain"}, 415),
]


@pytest.mark.parametrize(("target", "form", "headers", "status"), REFUSED)
async def test_a_form_that_is_not_ours_changes_nothing(
    path: Path, target: str, form: str, headers: dict[str, str], status: int
) -> None:
    site = SignedSite(path)
    answer = await site.post(target, form.replace("{csrf}", await site.sign_in()), **headers)
    assert (answer.status, site.asked) == (status, [])


async def test_nobody_who_is_not_signed_in_changes_anything(path: Path) -> None:
    for site in (SignedSite(path), SignedSite(path, None)):
        assert (await site.post("/deliveries/retry", "csrf=&id=x")).status == 403
        assert site.asked == []


async def test_many_requests_read_the_store_once_a_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    def counted(*arguments: Any) -> Overview:
        nonlocal reads
        reads += 1
        return read_overview(*arguments)

    monkeypatch.setattr("watcher.web.html.routes.read_overview", counted)
    site = SignedSite(path, None)
    for _ in range(20):
        assert (await site.get("/")).status == 200
    assert 1 <= reads < 20


@pytest.mark.parametrize("target", PAGES)
async def test_no_page_reads_every_training_in_progress(
    path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There may be a hundred thousand, and only the metrics show each.
    monkeypatch.setattr("watcher.store.health_stats._in_progress", None)
    assert (await SignedSite(path, None).get(target)).status == 200
