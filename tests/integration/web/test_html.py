"""The pages on a real store: each answers, hostile text stays text, and forms act only for who signed in here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from markupsafe import escape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from tests.integration.cli.test_stats import CONFIG, NOW, run_days_ago
from tests.integration.web import invented_store
from tests.integration.web.invented_store import Answer, ask, make_store, sources
from watcher.control.protocol import ControlError
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.polling.result import PollState
from watcher.core.routing.matcher import Matcher
from watcher.core.secret import Secret
from watcher.core.training.model import TrainingRef
from watcher.reading.overview import read_overview
from watcher.reports.overview import Overview
from watcher.store.polls import PollStore
from watcher.store.silences import Silences
from watcher.store.sqlite.database import open_database
from watcher.web.encoded_paths import EncodedPaths
from watcher.web.html.deliveries_page import RETRIED_AT_ONCE
from watcher.web.html.freshness import Kept
from watcher.web.html.renderer import Renderer
from watcher.web.html.routes import PageRoutes
from watcher.web.html.session import Sessions
from watcher.web.html.site import Site
from watcher.web.pages import Guard

SHOP = "/service/main/shop0000001"
EVIL = "%3DHYPERLINK(%22http%3A%2F%2Fx%22%3B%22%0A%2C%22)"
PAGES = [
    "/",
    "/?q=shop&label=team%3Dgone",
    "/services",
    "/services?status=in-progress&page=2",
    SHOP,
    "/training/main/shop0000001/pop/w0",
    "/deliveries",
    "/silences",
]


class SignedSite:
    """The pages with a token, and the operations that they asked for."""

    def __init__(
        self,
        path: Path,
        token: str | None = "sesame",
        renderer: Renderer | None = None,
        now: datetime | None = None,
    ) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        secret = None if token is None else lambda: Secret(token)
        sessions, found = Sessions(secret), sources(path, now)
        site = Site(sources=found, sessions=sessions, renderer=renderer or Renderer(), act=self.act)

        def is_signed_in(request: Request) -> bool:
            return sessions.of(request, found.utc_now()).signed_in

        self.app: ASGIApp = EncodedPaths(Guard(Starlette(routes=PageRoutes(site).routes()), secret, is_signed_in))
        self.cookie = ""

    async def act(self, command: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
        if arguments.get("receiver") == "unrecorded":
            return {"recorded": False, "reason": '"a" & b'}
        if "gone" in (arguments.get("id"), arguments.get("receiver"), arguments.get("why")):
            raise ControlError("it is over")
        self.asked.append((command, arguments))
        if command.startswith("silence"):
            return {"id": "sil_1"}
        return {"deliveries": [{"id": "msg_1"}, {"id": "msg_2"}]} if command == "deliveries.retry" else {}

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


@pytest.mark.parametrize("target", PAGES)
async def test_one_place_of_a_page_is_marked_as_the_present_one(path: Path, target: str) -> None:
    text = (await SignedSite(path, None).get(target)).body.decode()
    assert re.findall(r'aria-current="(\w+)"', text) in (["page"], ["true", "page"])


async def test_hostile_text_of_aitems_stays_text(path: Path) -> None:
    page = (await SignedSite(path, None).get(f"/training/main/shop0000001/pop/{EVIL}")).body.decode()
    assert "=HYPERLINK(&#34;http://x&#34;" in page
    assert '=HYPERLINK("' not in page


@pytest.fixture
def failing_path(tmp_path: Path) -> Path:
    """Return a store in which a type has a good version and two failed ones."""
    path = make_store(tmp_path)
    good, failed = run_days_ago(3), [run_days_ago(number, outcome=Outcome.FAILED) for number in (2, 1)]
    refs = [TrainingRef("main", "shop0000001", "relatedItem", name) for name in ("good", "bad1", "bad2")]
    runs = tuple(replace(run, ref=ref) for run, ref in zip((good, *failed), refs, strict=True))
    fine = replace(good, ref=TrainingRef("main", "shop0000001", "personalRecommend", "fine"))
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(snapshots=(), runs=(*runs, fine))))
    return path


async def test_a_service_says_which_type_fails_since_when_and_after_which_good_version(failing_path: Path) -> None:
    page = (await SignedSite(failing_path, None).get(SHOP)).body.decode()
    fine, _, related = page.split('<h2 id="t-')[1:4]
    assert "failure" not in fine.lower()
    assert "2 failures in a row." in related
    assert 'href="/training/main/shop0000001/relatedItem/bad2"' in related
    assert re.search(r'href="/training/main/shop0000001/relatedItem/good">Last good version is <time[^>]*>3 d', related)


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


async def test_a_badge_is_asked_for_anew_each_time_and_not_sent_again_while_it_holds(path: Path) -> None:
    site = SignedSite(path, None)
    first = await site.get("/badge/main/shop0000001.svg")
    assert first.headers["cache-control"] == "private, no-cache"
    again = await ask(site.app, "/badge/main/shop0000001.svg", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["cache-control"]) == (304, b"", "private, no-cache")


async def test_a_badge_needs_the_token_that_a_proxy_may_add(path: Path) -> None:
    site = SignedSite(path)
    target = "/badge/main/shop0000001.svg"
    assert (await ask(site.app, target)).status == 401
    assert (await ask(site.app, target, {"Authorization": "Bearer sesame"})).status == 200


def is_limited(answer: Answer) -> bool:
    """Return whether an answer says after how many whole seconds to ask again."""
    return answer.headers.get("retry-after", "").isdigit()


async def test_without_the_token_a_browser_gets_the_form_and_a_program_a_refusal(path: Path) -> None:
    site = SignedSite(path)
    answer = await site.get("/deliveries?a=b")
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2Fdeliveries%3Fa%3Db")
    assert (await ask(site.app, "/deliveries")).status == 401
    assert (await site.get("/login")).status == 200


async def test_a_wrong_token_is_refused_and_soon_only_slowly(path: Path) -> None:
    site = SignedSite(path)
    with capture_logs() as logs:
        found = [await site.post("/login", "token=wrong") for _ in range(7)]
    assert [item.status for item in found] == [403] * 5 + [429] * 2
    assert [is_limited(item) for item in found] == [False] * 5 + [True] * 2
    # Nobody without the token fills the log.
    assert [line["event"] for line in logs] == ["web.sign_in_refused"] * 5


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


@pytest.mark.parametrize(
    ("target", "form", "location"),
    [
        ("/silences", "match=type%3Dpop&length=2h&reason=load&author=dana", "/silences?done=sil_1"),
        ("/silences/end", "id=sil_1", "/silences?done=sil_1"),
        ("/deliveries/retry", "id=msg_1", "/deliveries?done=msg_1"),
        ("/deliveries/retry-all", "receiver=hook", "/deliveries?done=msg_1"),
        ("/deliveries/drop", "id=msg_1", "/deliveries?done=msg_1"),
        ("/receivers/test", "receiver=a%26b", "/deliveries?done=a%26b"),
    ],
)
async def test_an_action_leads_to_a_page_that_says_so_and_is_not_repeated_by_loading_it_again(
    path: Path, target: str, form: str, location: str
) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    answer = await site.post(target, f"csrf={csrf}&{form}")
    assert (answer.status, answer.headers["location"]) == (303, location)


async def test_a_test_is_sent_with_its_author(path: Path) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    assert 'action="/receivers/test"' in (await site.get("/deliveries")).body.decode()
    await site.post("/receivers/test", f"csrf={csrf}&receiver=hook")
    assert site.asked == [("test", {"receiver": "hook", "by": "kim", "access": False})]


async def test_a_test_that_is_not_in_the_history_says_so(path: Path) -> None:
    site = SignedSite(path)
    answer = await site.post("/receivers/test", f"csrf={await site.sign_in()}&receiver=unrecorded")
    page = answer.body.decode()
    assert (answer.status, "The test is sent (&#34;a&#34; &amp; b). It is not in the history" in page) == (503, True)


async def test_one_test_is_sent_to_a_receiver_every_ten_seconds(path: Path) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    found = [await site.post("/receivers/test", f"csrf={csrf}&receiver=console") for _ in range(3)]
    assert ([item.status for item in found], len(site.asked)) == ([303, 429, 429], 1)
    assert [is_limited(item) for item in found] == [False, True, True]


async def test_an_address_that_asks_too_often_learns_when_to_ask_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.web.html.routes.BURST", 2.0)
    monkeypatch.setattr("watcher.web.html.routes.PER_SECOND", 0.01)
    site = SignedSite(path, None)
    found = [await site.get("/silences") for _ in range(3)]
    assert [(item.status, is_limited(item)) for item in found] == [(200, False), (200, False), (429, True)]


async def test_nobody_who_is_not_signed_in_is_offered_an_action(path: Path) -> None:
    page = (await SignedSite(path, None).get("/deliveries")).body.decode()
    assert "<form" not in page


@pytest.mark.parametrize(
    ("form", "marked", "status"),
    [
        ({"match": "colour=red"}, ["match"], 400),
        ({"match": ""}, ["match"], 400),
        ({"match": "kind=receiver-failing"}, ["match"], 400),
        ({"length": "soon"}, ["length"], 400),
        ({"length": "0s"}, ["length"], 400),
        ({"length": "366d"}, ["length"], 400),
        ({"length": "-1h"}, ["length"], 400),
        ({"reason": " "}, ["reason"], 400),
        ({"reason": "x" * 1001}, ["reason"], 400),
        ({"author": ""}, ["author"], 400),
        ({"author": "\N{HANGUL SYLLABLE GIM}" * 101}, ["author"], 400),
        ({"match": "colour=red", "length": "soon", "reason": ""}, ["match", "length", "reason"], 400),
        ({"reason": "gone"}, [], 409),
    ],
)
async def test_a_refused_silence_is_shown_again_as_it_was_typed(
    path: Path, form: dict[str, str], marked: list[str], status: int
) -> None:
    site = SignedSite(path)
    typed = {"match": "type=pop", "length": "3h", "reason": 'a "load" test', "author": "dana", **form}
    answer = await site.post("/silences", urlencode({"csrf": await site.sign_in(), **typed}))
    page = answer.body.decode()
    assert (answer.status, site.asked) == (status, [])
    inputs = dict(re.findall(r'<input type="text" id="f-(\w+)" (.*?)>', page))
    assert list(inputs) == ["match", "length", "reason", "author"]
    assert [name for name, text in inputs.items() if 'aria-invalid="true"' in text] == marked
    assert [name for name, text in inputs.items() if "autofocus" in text] == marked[:1]
    for name, text in inputs.items():
        assert f'value="{escape(typed[name].strip())}"' in text
        assert (f'aria-describedby="f-{name}-p' in text) == (f'id="f-{name}-p"' in page) == (name in marked)
    assert 'role="alert"' in page


async def test_an_empty_list_says_what_it_has_none_of(tmp_path: Path) -> None:
    path = tmp_path / "here.db"
    open_database(path, purpose="test", now=NOW).close()
    page = (await SignedSite(path, None).get("/deliveries")).body.decode()
    empty = ("Nothing has been sent yet</h1>", "Nothing waits.", "Nothing needs a decision.")
    assert [page.count(text) for text in (*empty, "Nothing has been delivered yet.")] == [1, 1, 1, 1]


async def test_a_filter_that_takes_nothing_does_not_say_that_nothing_is_watched(path: Path) -> None:
    page = (await SignedSite(path, None).get("/?q=nobody")).body.decode()
    assert "The filter takes no service." in page
    assert "No service is watched yet." not in page


async def test_a_silence_by_the_name_that_aitems_gives_a_service_is_refused_with_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invented_store, "CONFIG", CONFIG.replace('name = "=shop"', ""))
    path = await asyncio.to_thread(make_store, tmp_path)
    named = PollState(key="service:main/shop0000001", name="shop-main")
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        await PollStore(database).record(Batch(polls=(named,)))
    site = SignedSite(path)
    csrf = await site.sign_in()
    answer = await site.post("/silences", f"csrf={csrf}&match=service%3Dshop-main&length=2h&reason=load&author=dana")
    assert (answer.status, site.asked) == (400, [])
    assert "is the name of a service; write its id, &#34;shop0000001&#34;" in answer.body.decode()


async def test_a_silence_of_a_service_that_nobody_watches_says_so(tmp_path: Path) -> None:
    path = await asyncio.to_thread(make_store, tmp_path)
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        match = Matcher(patterns={"service": ("mistyped",)})
        await Silences(database).add(match, timedelta(days=300), author="kim", reason="load", now=NOW)
    page = (await SignedSite(path, None).get("/silences")).body.decode()
    warning = "No watched service has this id."
    assert page.count(warning) == 1
    assert warning in page.partition("service=mistyped")[2].partition("</th>")[0]


async def test_a_refused_sign_in_keeps_the_name_and_never_the_token(path: Path) -> None:
    answer = await SignedSite(path).post("/login", "token=wrong-one&name=k%22im&next=/silences")
    page = answer.body.decode()
    assert answer.status == 403
    assert 'value="k&#34;im"' in page
    assert 'aria-invalid="true"' in page
    assert "wrong-one" not in page


async def test_a_copy_of_the_cookie_does_not_work_after_signing_out(path: Path) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    assert (await site.post("/signout", f"csrf={csrf}")).status == 303
    assert (await site.get("/deliveries")).headers["location"] == "/login?next=%2Fdeliveries"
    assert (await site.post("/deliveries/retry", f"csrf={csrf}&id=x")).status == 403
    assert site.asked == []


async def test_only_a_form_that_changed_something_makes_the_pages_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = SignedSite(path)
    csrf = await site.sign_in()
    forgotten = 0

    def clear(_kept: Kept[object]) -> None:
        nonlocal forgotten
        forgotten += 1

    monkeypatch.setattr(Kept, "clear", clear)
    for form in ("id=sil_1", f"csrf={csrf}&id=gone"):
        await site.post("/silences/end", form)
    await site.post("/login", "token=wrong")
    assert forgotten == 0
    await site.post("/silences/end", f"csrf={csrf}&id=sil_1")
    assert forgotten == 2


async def test_a_refused_action_leads_back_to_its_page(path: Path) -> None:
    site = SignedSite(path)
    answer = await site.post("/receivers/test", f"csrf={await site.sign_in()}&receiver=gone")
    page = answer.body.decode()
    assert (answer.status, "it is over" in page, 'href="/deliveries">Back to the page' in page) == (409, True, True)
    # The address of the form is no page, which loading it again would say.
    assert ">Reload<" not in page
    assert (await site.get("/receivers/test")).status == 404
    assert ">Reload<" in (await site.get("/deliveries")).body.decode()


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


async def test_the_dead_letters_of_a_receiver_are_retried_together_in_bounded_batches(path: Path) -> None:
    site = SignedSite(path)
    await site.post("/deliveries/retry-all", f"csrf={await site.sign_in()}&receiver=hook")
    wanted = {"all_dead": True, "receiver": "hook", "limit": RETRIED_AT_ONCE, "by": "kim"}
    assert site.asked == [("deliveries.retry", wanted)]


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
    ("/silences", "csrf={csrf}&match=&length=1h&reason=r&author=a", {}, 400),
    ("/silences", "csrf={csrf}&match=" + "x" * 20_000, {}, 413),
    ("/silences", "csrf={csrf}&match=kind%3D*&length=1h&reason=%ff&author=a", {}, 400),
    ("/receivers/test", "receiver=hook", {}, 403),
    ("/receivers/test", "csrf={csrf}&receiver=hook", {"Origin": "http://evil.example"}, 403),
    ("/silences", "csrf={csrf}", {"Content-Type": "text/plain"}, 415),
    ("/deliveries/retry-all", "csrf=x&receiver=hook", {}, 403),
    ("/deliveries/retry-all", "csrf={csrf}&receiver=hook", {"Origin": "http://evil.example"}, 403),
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
    monkeypatch.setattr("watcher.store.health_stats._longest_in_progress", None)
    monkeypatch.setattr("watcher.store.health_stats._in_progress_counts", None)
    assert (await SignedSite(path, None).get(target)).status == 200


async def test_a_page_keeps_its_style_while_another_version_is_installed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = SignedSite(path, None)
    monkeypatch.setattr("watcher.web.html.routes.files", None)
    for name in ("style.css", "live.js", "icon.svg"):
        assert (await site.get(f"/static/{name}")).status == 200
