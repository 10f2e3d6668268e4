"""Actions on the pages of a real daemon: each reaches it, and is in the history with its author."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from starlette.responses import PlainTextResponse

from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.control.client import request
from watcher.control.socket_path import link_path
from watcher.core.action import Action, ActionKind
from watcher.core.delivery.state import State
from watcher.simulator import Simulator, serve
from watcher.store.actions import latest
from watcher.store.delivery.views import DeliveryFilter
from watcher.store.url import sqlite_url
from watcher.store.views import open_views
from watcher.web.html import deliveries_page

SERVICE = "6wxgu1abcde"
WEB = '[web]\nlisten = "127.0.0.1:0"\ntoken = { env = "WEB_TOKEN" }\n'


@dataclass(slots=True)
class Person:
    """A person with a browser."""

    daemon: Daemon
    cookies: dict[str, str] = field(default_factory=dict)

    async def address(self) -> str:
        listener = self.daemon.health_endpoints.listener
        assert listener is not None
        await asyncio.wait_for(listener.first_started.wait(), 20)
        return f"http://127.0.0.1:{listener.port}"

    async def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> httpx2.Response:
        address = f"{await self.address()}{path}"
        headers = {"Accept": "text/html"}
        async with httpx2.AsyncClient(cookies=self.cookies, headers=headers) as client:
            answer = await client.request(method, address, data=form)
            self.cookies |= dict(answer.cookies)
            return answer

    async def sign_in(self) -> None:
        assert (await self.ask("POST", "/login", {"token": "sesame", "name": "kim"})).status_code == 303

    async def act(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form, and return the page to which it leads."""
        page = (await self.ask("GET", "/silences")).text
        found = re.search(r'name="csrf" value="(\w+)"', page)
        assert found is not None
        answer = await self.ask("POST", path, {"csrf": found[1], **fields})
        if answer.status_code != 303:
            return answer
        return await self.ask("GET", answer.headers["location"])


@dataclass(slots=True)
class Place:
    """A simulated AiTEMS, and a webhook."""

    folder: Path
    api: Simulator
    base_url: str
    hook: Inbox

    def running(self) -> AbstractAsyncContextManager[Daemon]:
        text = daemon_in_process.settings(self.base_url, [SERVICE], {"hook": self.hook.url})
        text = text.replace('[web]\nlisten = ""\n', WEB).replace('first_retry = "200ms"', 'first_retry = "1h"')
        text = text.replace('max_retry = "1s"', 'max_retry = "1h"')
        return daemon_in_process.running(self.folder, text, {"WEB_TOKEN": "sesame"})

    def actions(self) -> list[Action]:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            return latest(views.connection, ActionKind, 9)

    def waiting_after(self, attempts: int) -> bool:
        return len(self.hook.received) == attempts and bool(self.deliveries(State.PENDING))

    def end_every_delivery(self) -> None:
        """Make dead letters of all that waits, as after ``give_up_after``."""
        with closing(sqlite3.connect(self.folder / "watcher.db")) as store, store:
            store.execute("UPDATE delivery SET state = 'dead', next_at = NULL")
            store.execute("UPDATE ledger SET ending = 'dead', ended_at = '2026-11-23T02:00:00.000000Z'")
            store.execute("DELETE FROM line")

    def deliveries(self, state: State) -> list[str]:
        with open_views(sqlite_url(self.folder / "watcher.db")) as views:
            return [item.id for item in views.deliveries(DeliveryFilter(states=frozenset({state})))]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    api = Simulator()
    api.set_training(SERVICE, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield Place(tmp_path, api, simulator.base_url, hook)


async def test_a_test_proves_the_receiver_of_the_daemon_and_is_in_the_history(place: Place) -> None:
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        page = (await person.act("/receivers/test", receiver="hook")).text
        assert re.search(r'role="status".*Test to hook: accepted\.', page)
        assert "Test by kim: accepted" in re.sub(r"\s+", " ", page)
        # The body is signed with the daemon's secret, and says that it is a test.
        (received,) = place.hook.received
        assert b"TEST from aitems-watcher" in received.body
        again = await person.act("/receivers/test", receiver="hook")
        assert (again.status_code, "Try again in" in again.text) == (429, True)
        unknown = await person.act("/receivers/test", receiver="nobody")
        assert (unknown.status_code, "there is no [receiver.nobody]" in unknown.text) == (409, True)
    assert [(item.kind, item.target, item.author) for item in place.actions()] == [(ActionKind.TEST, "hook", "kim")]


async def test_a_refused_test_says_why(place: Place) -> None:
    place.hook.script = lambda _received: PlainTextResponse("gone", status_code=410)
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        page = (await person.act("/receivers/test", receiver="hook")).text
        assert re.search(r'role="alert".*Test to hook: refused, http 410: the consumer wants no more', page)


async def test_a_test_and_a_reload_by_command_have_their_author(place: Place) -> None:
    async with place.running() as daemon:
        (place.folder / "config.toml").write_text(
            daemon_in_process.settings(place.base_url, [SERVICE], {"hook": place.hook.url})
        )
        socket = link_path(place.folder / "watcher.db")
        for command, arguments in (("test", {"receiver": "hook", "by": "root"}), ("reload", {"by": "root"})):
            await asyncio.to_thread(request, socket, command, arguments)
        assert daemon.reloader.config.receivers.keys() == {"hook"}
    found = [(item.kind, item.target, item.author) for item in place.actions()]
    config = str(place.folder / "config.toml")
    assert found == [(ActionKind.RELOAD, config, "root"), (ActionKind.TEST, "hook", "root")]


async def test_a_retry_and_a_drop_name_their_author_on_every_page(place: Place) -> None:
    place.hook.script = lambda _received: PlainTextResponse("bad", status_code=503)
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        place.api.set_training(SERVICE, "pop", "v1", "completed")
        await daemon_in_process.eventually(lambda: place.waiting_after(1))
        (identity,) = place.deliveries(State.PENDING)
        page = (await person.act("/deliveries/retry", id=identity)).text
        assert f"Delivery {identity[:12]} will be sent again." in page
        await daemon_in_process.eventually(lambda: place.waiting_after(2))
        assert "retried by kim" in (await person.ask("GET", "/deliveries")).text
        page = (await person.act("/deliveries/drop", id=identity)).text
        assert f"Delivery {identity[:12]} is dropped: it will not be sent." in page
        late = await person.act("/deliveries/retry", id=identity)
        assert (late.status_code, f"delivery {identity} was dropped" in late.text) == (409, True)
        training = (await person.ask("GET", f"/training/main/{SERVICE}/pop/v1")).text
        assert "retried by kim, dropped by kim" in training
        document = (await person.ask("GET", "/api/v1/deliveries?state=dropped")).json()
    (delivery,) = document["deliveries"]
    assert [(item["action"], item["by"]) for item in delivery["actions"]] == [("retry", "kim"), ("drop", "kim")]


async def test_the_dead_letters_of_a_receiver_are_retried_together_with_their_author(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with more dead letters than the table of actions has rows.
    monkeypatch.setattr(deliveries_page, "ACTIONS", 1)
    place.hook.script = lambda _received: PlainTextResponse("bad", status_code=503)
    place.api.set_training(SERVICE, "pop", "v2", "learning")
    async with place.running():
        for version in ("v1", "v2"):
            place.api.set_training(SERVICE, "pop", version, "completed")
        await daemon_in_process.eventually(lambda: len(place.deliveries(State.PENDING)) == 2)
    place.end_every_delivery()
    place.hook.script = lambda _received: PlainTextResponse("ok")
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        page = (await person.ask("GET", "/deliveries")).text
        assert "Retry all 2 dead letters" in page
        assert f'href="/training/main/{SERVICE}/pop/v1"' in page
        page = (await person.act("/deliveries/retry-all", receiver="hook")).text
        assert "2 deliveries to hook will be sent again." in page
        await daemon_in_process.eventually(lambda: len(place.deliveries(State.DELIVERED)) >= 2)
    assert place.deliveries(State.DEAD) == []
    assert [(item.kind, item.author) for item in place.actions()] == [(ActionKind.RETRY, "kim")] * 2


async def test_a_silence_that_is_sent_twice_is_one(place: Place) -> None:
    silence = {"match": "type=pop", "length": "2h", "reason": "load", "author": "kim"}
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        pages = await asyncio.gather(*(person.act("/silences", **silence) for _ in range(3)))
        assert all("Silence added." in page.text for page in pages)
        with open_views(sqlite_url(place.folder / "watcher.db")) as views:
            (added,) = views.every_silence()
        ended = await person.act("/silences/end", id=added.id)
        assert "Silence ended." in ended.text
        again = await person.act("/silences/end", id=added.id)
        assert (again.status_code, "is over since" in again.text) == (409, True)


async def test_a_copied_cookie_does_not_work_after_signing_out_also_after_a_restart(place: Place) -> None:
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        stolen = Person(daemon, dict(person.cookies))
        assert (await stolen.ask("GET", "/")).status_code == 200
        await person.act("/signout")
        assert (await stolen.ask("GET", "/")).headers["location"] == "/login?next=%2F"
    async with place.running() as daemon:
        stolen.daemon = daemon
        assert (await stolen.ask("GET", "/")).headers["location"] == "/login?next=%2F"


async def test_a_stream_of_a_page_ends_with_its_session(place: Place) -> None:
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        stolen = Person(daemon, dict(person.cookies))
        address = f"{await stolen.address()}/live?page=/deliveries"
        # A part comes every five seconds, as long as a client waits by default.
        waiting = httpx2.AsyncClient(cookies=stolen.cookies, timeout=30)
        async with waiting as client, client.stream("GET", address) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 5000"
            await person.act("/signout")
            rest = [line async for line in lines]
    assert "event: whole" in rest, "the reader is told to load the page again, which needs the token"


async def test_the_head_of_a_stream_leaves_the_connection_for_the_next_request(place: Place) -> None:
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        address = await person.address()
        async with httpx2.AsyncClient(cookies=person.cookies) as client:
            head = await client.head(f"{address}/live?page=/")
            assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert (await client.head(f"{address}/")).status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "status", "text"),
    [
        ("/silences/end", {"id": "msg_1"}, 409, "there is no silence"),
        ("/silences/end", {"id": "%"}, 409, "there is no silence"),
        ("/deliveries/retry", {"id": "sil_1"}, 409, "there is no delivery"),
        ("/deliveries/drop", {"id": ""}, 409, "there is no delivery"),
        ("/deliveries/drop", {"id": "x" * 9000}, 409, "there is no delivery"),
        ("/silences/end", {"id": "x" * 9000}, 409, "write at most"),
        ("/receivers/test", {"receiver": "away\x00\N{RIGHT-TO-LEFT OVERRIDE}<b>"}, 409, "there is no [receiver."),
        ("/receivers/test", {}, 409, "there is no [receiver.]"),
    ],
)
async def test_a_form_about_another_thing_is_refused_in_words(
    place: Place, path: str, form: dict[str, str], status: int, text: str
) -> None:
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        answer = await person.act(path, **form)
        assert (answer.status_code, text in answer.text, "<b>" in answer.text) == (status, True, False)
    assert place.actions() == []


async def test_a_silence_has_any_text_of_people_and_no_pattern_that_is_slow(place: Place) -> None:
    hostile = "<script>\N{RIGHT-TO-LEFT OVERRIDE}\x00\n\N{HANGUL SYLLABLE GIM}"
    match = "kind=* version=" + "*a" * 100
    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        page = await person.act("/silences", match=match, length="1h", reason=hostile, author=hostile)
        assert "Silence added." in page.text
        assert "<script>" not in page.text.replace("<script src=", "")
        place.api.set_training(SERVICE, "pop", "v1", "completed")
        await daemon_in_process.eventually(lambda: bool(place.hook.received))


async def test_an_action_that_the_store_refuses_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("INSERT", {}, error)

    async with place.running() as daemon:
        person = Person(daemon)
        await person.sign_in()
        monkeypatch.setattr("watcher.store.silences._add", full)
        answer = await person.act("/silences", match="kind=*", length="1h", reason="r", author="a")
        assert (answer.status_code, "the store cannot be written now (disk-full)" in answer.text) == (409, True)
        assert 'value="kind=*"' in answer.text


async def test_a_reload_has_its_answer_although_another_process_holds_the_store(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.operations.recording.RECORD_SECONDS", 0.2)
    async with place.running():
        (place.folder / "config.toml").write_text(
            daemon_in_process.settings(place.base_url, [SERVICE], {"other": place.hook.url})
        )
        socket = link_path(place.folder / "watcher.db")
        with closing(sqlite3.connect(place.folder / "watcher.db", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            answer = await asyncio.to_thread(request, socket, "reload", {"by": "root"}, timeout_seconds=20.0)
            assert answer["outcome"] == "reloaded"
