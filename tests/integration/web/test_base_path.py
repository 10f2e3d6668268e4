"""Everything below the base path of a reverse proxy, which passes the path or strips it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from tests.integration.web.invented_store import Answer, ask, make_store, sources
from watcher.core.secret import Secret
from watcher.web.api.routes import api_routes
from watcher.web.html.renderer import Renderer
from watcher.web.html.routes import PageRoutes
from watcher.web.html.session import Sessions
from watcher.web.html.site import Site
from watcher.web.pages import Pages, Readiness, build_app

BASE = "/aitems"
TOKEN = "sesame"
PROXY = "10.0.0.7"
SHOP = "/service/main/shop0000001"
TRAINING = "/training/main/shop0000001/pop/w0"
LINK = re.compile(r'(?:href|src|action|data-live)="([^"]*)"')


class ProxiedSite:
    """The whole application of the listener with a base path, asked by a proxy."""

    def __init__(self, path: Path) -> None:
        self.app: ASGIApp = application(path)
        self.cookie = ""

    async def get(self, target: str, **headers: str) -> Answer:
        return await ask(self.app, target, {"Cookie": self.cookie, "Accept": "text/html", **headers}, PROXY)

    async def post(self, target: str, form: str, **headers: str) -> Answer:
        given = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded", **headers}
        return await ask(self.app, target, given, PROXY, method="POST", body=form.encode())

    async def sign_in(self, target: str = f"{BASE}/login", then: str = "/silences") -> Answer:
        answer = await self.post(target, f"token={TOKEN}&name=kim&next={then}")
        assert answer.status == 303
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer


async def act(_command: str, _arguments: Mapping[str, object]) -> Mapping[str, object]:
    return {}


def application(path: Path, base_path: str = BASE) -> ASGIApp:
    found, sessions = sources(path, base_path=base_path), Sessions(lambda: Secret(TOKEN), base_path=base_path)
    site = Site(sources=found, sessions=sessions, renderer=Renderer(base_path=base_path), act=act)

    def routes() -> Sequence[BaseRoute]:
        return [*api_routes(found), *PageRoutes(site).routes()]

    def is_signed_in(request: Request) -> bool:
        return sessions.of(request, found.utc_now()).signed_in

    async def readiness() -> Readiness:
        return Readiness(())

    async def metrics() -> bytes:
        return b"# HELP a b\n"

    pages = Pages(
        readiness=readiness,
        metrics=metrics,
        metrics_type="text/plain",
        trusted_proxies=[PROXY],
        base_path=base_path,
        is_signed_in=is_signed_in,
        others=routes,
        token=lambda: Secret(TOKEN),
    )
    return build_app(pages)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def site(path: Path) -> ProxiedSite:
    return ProxiedSite(path)


@pytest.mark.parametrize("target", ["/", SHOP, TRAINING, "/deliveries", "/silences", "/nothing", "/login"])
async def test_every_link_of_a_page_is_below_the_base_path(site: ProxiedSite, target: str) -> None:
    await site.sign_in()
    page = (await site.get(f"{BASE}{target}")).body.decode()
    ours = [link for link in LINK.findall(page) if link and not link.startswith(("#", "https://"))]
    assert ours
    assert [link for link in ours if not link.startswith(f"{BASE}/")] == []


@pytest.mark.parametrize("target", ["/", SHOP, "/plot/main/shop0000001.svg", "/badge/main/shop0000001.svg", "/metrics"])
async def test_a_path_answers_with_the_base_path_and_without(site: ProxiedSite, target: str) -> None:
    await site.sign_in()
    with_it, without = await site.get(f"{BASE}{target}"), await site.get(target)
    assert (with_it.status, without.status) == (200, 200)
    assert with_it.headers["content-type"] == without.headers["content-type"]


@pytest.mark.parametrize("target", ["/healthz", "/static/style.css", f"{BASE}/healthz", f"{BASE}/static/live.js"])
async def test_what_needs_no_token_needs_none_below_the_base_path(site: ProxiedSite, target: str) -> None:
    assert (await site.get(target)).status == 200


@pytest.mark.parametrize("target", ["/readyz", "/metrics", "/api/v1", "/api/v1/status"])
async def test_what_needs_the_token_needs_it_below_the_base_path(site: ProxiedSite, target: str) -> None:
    for prefix in (BASE, ""):
        assert (await site.get(f"{prefix}{target}")).status == 401
        assert (await site.get(f"{prefix}{target}", Authorization=f"Bearer {TOKEN}")).status == 200


async def test_only_the_base_path_itself_is_stripped(site: ProxiedSite) -> None:
    await site.sign_in()
    assert (await site.get(BASE)).status == 200
    assert (await site.get("/aitemsx")).status == 404
    assert (await site.get(f"{BASE}{BASE}/silences")).status == 404


async def test_a_browser_is_sent_to_the_form_and_back(site: ProxiedSite) -> None:
    for target in (f"{BASE}/silences?match=a", "/silences?match=a"):
        sent = await site.get(target)
        assert (sent.status, sent.headers["location"]) == (303, f"{BASE}/login?next=%2Fsilences%3Fmatch%3Da")
    for then in ("/silences?match=a", f"{BASE}/silences?match=a"):
        assert (await site.sign_in(then=then)).headers["location"] == f"{BASE}/silences?match=a"


@pytest.mark.parametrize(
    "then", ["//evil.example", "/%5Cevil.example", f"{BASE}//evil.example", "/../admin", f"{BASE}/%252E./admin"]
)
async def test_a_hostile_return_leads_to_the_overview(site: ProxiedSite, then: str) -> None:
    assert (await site.sign_in(then=then)).headers["location"] == f"{BASE}/"
    page = (await site.get(f"{BASE}/login?next={then}")).body.decode()
    assert 'name="next" value="/"' in page


async def test_the_cookie_is_of_the_base_path_and_of_https_where_the_proxy_says_so(site: ProxiedSite) -> None:
    answer = await site.post(f"{BASE}/login", f"token={TOKEN}", **{"X-Forwarded-Proto": "https"})
    flags = answer.headers["set-cookie"].lower().split("; ")
    assert {"path=/aitems", "secure", "httponly", "samesite=lax"} <= set(flags)


@pytest.mark.parametrize(
    ("form", "then"),
    [
        ("/silences/end", "/silences"),
        ("/silences", "/silences"),
        ("/deliveries/retry", "/deliveries"),
        ("/deliveries/drop", "/deliveries"),
        ("/signout", "/"),
    ],
)
async def test_an_act_leads_back_below_the_base_path(site: ProxiedSite, form: str, then: str) -> None:
    for prefix in (BASE, ""):
        await site.sign_in()
        found = re.search(r'name="csrf" value="(\w+)"', (await site.get(f"{BASE}/silences")).body.decode())
        assert found is not None
        fields = f"csrf={found[1]}&id=x&match=service%3Dshop0000001&length=2h&reason=load&author=kim"
        answer = await site.post(f"{prefix}{form}", fields)
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, f"{BASE}{then}")


HOST = {"X-Forwarded-Host": "watch.example", "Origin": "https://watch.example"}


@pytest.mark.parametrize(
    ("headers", "client", "status"),
    [
        ({"Origin": "http://localhost"}, PROXY, 303),
        (HOST, PROXY, 303),
        ({**HOST, "X-Forwarded-Host": "other.example, watch.example"}, PROXY, 303),
        (HOST, "10.0.0.8", 403),
        ({"Origin": "https://watch.example"}, PROXY, 403),
        ({**HOST, "Origin": "https://evil.example"}, PROXY, 403),
        ({**HOST, "Sec-Fetch-Site": "cross-site"}, PROXY, 403),
        ({"X-Forwarded-Host": "", "Origin": "https://"}, PROXY, 403),
    ],
)
async def test_a_form_is_ours_where_a_trusted_proxy_names_its_host(
    site: ProxiedSite, headers: dict[str, str], client: str, status: int
) -> None:
    given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    form = f"token={TOKEN}".encode()
    answer = await ask(site.app, f"{BASE}/login", given, client, method="POST", body=form)
    assert answer.status == status
    if status == 403:
        assert b"trusted_proxies" in answer.body


async def test_the_api_names_its_paths_below_the_base_path(site: ProxiedSite) -> None:
    await site.sign_in()
    index = json.loads((await site.get(f"{BASE}/api/v1")).body)
    assert index["openapi"] == f"{BASE}/api/v1/openapi.json"
    for target in (index["openapi"], *(path for path in index["paths"] if "{" not in path)):
        assert target.startswith(f"{BASE}/api/v1")
        assert (await site.get(target)).status == 200
    assert json.loads((await site.get(index["openapi"])).body)["servers"] == [{"url": BASE}]
    assert f"see {BASE}/api/v1/openapi.json" in json.loads((await site.get(f"{BASE}/api/v1/x")).body)["detail"]


@pytest.mark.parametrize(
    "target", [f"{BASE}/live?page=/service/main/none", f"{BASE}/live?page={BASE}/service/main/none"]
)
async def test_the_live_parts_are_those_of_the_page(site: ProxiedSite, target: str) -> None:
    await site.sign_in()
    answer = await site.get(target)
    assert (answer.status, b"there is no service none" in answer.body) == (404, True)
