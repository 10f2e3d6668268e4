"""The pages as a person uses them, in a real Chromium, on a store with weeks of invented history and a real daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.acceptance.cli_support import COMMAND, environment, read_until, started
from tests.acceptance.page_shell import free_ports
from tests.support.accounts import account_table

CHROMIUM: Final = shutil.which("chromium")
TOKEN: Final = "sesame-of-the-test"
# Chromium asks Google's hosts for updates otherwise, which a test must not do.
FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
CONFIG: Final = """
[state]
url = "sqlite:///history.db"
[web]
listen = "127.0.0.1:{port}"
token = {{ env = "WEB_TOKEN" }}
{account}
[[watch]]
service = "*"
interval = "500ms"
idle_interval = "500ms"
labels = {{ team = "search" }}
[receiver.console]
kind = "log"
[receiver.away]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
[receiver.near]
kind = "webhook"
url = "{hook}"
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


@dataclass(frozen=True, slots=True)
class Place:
    """A daemon with its pages, and the control endpoint of the simulated AiTEMS."""

    url: str
    control: str
    received: list[bytes]
    """The bodies that the webhook ``near`` has got."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, received = tmp_path_factory.mktemp("pages"), list[bytes]()
    api, web = free_ports(2)
    keys = {"NCP_ACCESS_KEY": "a-key", "NCP_SECRET_KEY": "a-secret", "WEB_TOKEN": TOKEN}
    with ExitStack() as stack:
        simulator = stack.enter_context(
            started(
                *(
                    "simulate",
                    "--history",
                    "20",
                    "--services",
                    "8",
                    "--seed",
                    "5",
                    "--into",
                    str(folder / "history.db"),
                ),
                *("--serve", "--port", str(api), "--access-key", "a-key", "--secret-key", "a-secret"),
            )
        )
        read_until(simulator, "aitems-watcher run")
        config = folder / "config.toml"
        hook = stack.enter_context(_webhook(received))
        account = account_table(f"http://127.0.0.1:{api}/api/v1", "requests_per_second = 50")
        config.write_text(CONFIG.format(port=web, account=account, hook=hook))
        log = stack.enter_context((folder / "log").open("w"))
        daemon = stack.enter_context(
            subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "run", "--config", str(config)], stdout=log, stderr=log, env=environment(keys)
            )
        )
        stack.callback(daemon.terminate)
        _wait_for(f"http://127.0.0.1:{web}/healthz")
        yield Place(f"http://127.0.0.1:{web}", f"http://127.0.0.1:{api}", received)


@contextmanager
def _webhook(received: list[bytes]) -> Iterator[str]:
    """Serve a webhook that keeps the bodies, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()


def _put(target: str, status: str) -> None:
    """Set a training of the simulated AiTEMS."""
    body, headers = json.dumps({"status": status}).encode(), {"Content-Type": "application/json"}
    urlopen(Request(target, data=body, method="PUT", headers=headers)).close()  # noqa: S310 - our own server


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urlopen(url).close()  # noqa: S310 - our own daemon
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@dataclass(slots=True)
class Visit:
    """A person in front of the pages."""

    page: Page
    errors: list[str]
    place: Place

    def go(self, path: str) -> Page:
        self.page.goto(self.place.url + path)
        return self.page

    def sign_in(self, path: str = "/") -> None:
        self.go(path)
        self.page.fill("input[name=token]", TOKEN)
        self.page.fill("input[name=name]", "kim")
        self.page.click("main button")


def visit(context: BrowserContext, place: Place) -> Visit:
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda message: errors.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return Visit(page, errors, place)


@pytest.fixture
def person(browser: Browser, place: Place) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield visit(context, place)


def every_page(person: Visit) -> dict[str, str]:
    """Return the path of each kind of page."""
    page = person.go("/")
    service = page.locator(".svc a").first.get_attribute("href")
    training = page.locator(".ends a").first.get_attribute("href")
    assert service is not None
    assert training is not None
    return {
        "overview": "/",
        "failed only": "/?status=failed",
        "services": "/services",
        "service": service,
        "training": training,
        "deliveries": "/deliveries",
        "silences": "/silences",
    }


def test_each_page_is_accessible_and_without_an_error_in_both_schemes_and_on_a_phone(
    browser: Browser, place: Place, person: Visit
) -> None:
    person.sign_in()
    paths = every_page(person)
    state = person.page.context.storage_state()
    for scheme, width in (("light", 1280), ("dark", 1280), ("dark", 360)):
        size = {"width": width, "height": 800}
        with browser.new_context(color_scheme=scheme, viewport=size, storage_state=state) as context:  # type: ignore[arg-type]  # literals
            other = visit(context, place)
            for name, path in paths.items():
                page = other.go(path)
                page.evaluate("document.querySelectorAll('details').forEach((list) => { list.open = true; })")
                found = Axe().run(page).response["violations"]
                assert [(name, scheme, width, item["id"]) for item in found] == []
                assert page.evaluate("document.documentElement.scrollWidth") == width, (name, "scrolls sideways")
            assert other.errors == []


def test_a_plot_is_drawn_for_the_scheme_and_the_width_of_the_reader(
    browser: Browser, place: Place, person: Visit
) -> None:
    person.sign_in()
    path = every_page(person)["training"]
    state = person.page.context.storage_state()
    pictures = {}
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360)):
        size = {"width": width, "height": 800}
        with browser.new_context(color_scheme=scheme, viewport=size, storage_state=state) as context:  # type: ignore[arg-type]  # literals
            other = visit(context, place)
            plot = other.go(path).locator("img.plot")
            plot.scroll_into_view_if_needed()
            pictures[scheme, width] = plot.screenshot()
            assert plot.evaluate("image => image.complete && image.naturalWidth") == (300 if width == 360 else 880)
            # Opened by itself, under its own policy.
            other.go(plot.evaluate("image => new URL(image.currentSrc).pathname"))
            ground = other.page.evaluate("getComputedStyle(document.querySelector('rect')).fill")
            assert ground == ("rgb(23, 27, 32)" if scheme == "dark" else "rgb(255, 255, 255)")
            assert other.errors == []
    assert pictures["light", 1280] != pictures["dark", 1280]


def test_a_wrong_token_is_refused_and_the_right_one_leads_back(person: Visit) -> None:
    page = person.go("/silences")
    assert page.url.endswith("/login?next=%2Fsilences")
    page.fill("input[name=token]", "wrong")
    page.click("main button")
    assert "This is not the token." in page.inner_text("main")
    page.fill("input[name=token]", TOKEN)
    page.click("main button")
    assert page.url.endswith("/silences")
    page.click("text=Sign out")
    page.goto(person.place.url + "/deliveries")
    assert "/login" in page.url


def test_a_silence_is_made_and_ended_on_the_page(person: Visit) -> None:
    person.sign_in("/silences")
    page = person.page
    page.fill("input[name=match]", "type=pop kind=failed")
    page.fill("input[name=reason]", "<b>load</b> test")
    page.click("text=Add silence >> visible=true")
    assert "<b>load</b> test" in page.inner_text("#live-silences-1")
    page.click("text=End now")
    assert "No silence is active." in page.inner_text("#live-silences-1")
    assert "kim" in page.inner_text("#live-silences-2")
    assert person.errors == []


def test_a_refused_silence_keeps_what_was_typed_and_names_the_field(person: Visit) -> None:
    person.sign_in("/silences")
    page = person.page
    page.fill("input[name=match]", "colour=red")
    page.fill("input[name=reason]", 'the "load" test')
    page.click("text=Add silence >> visible=true")
    assert "Nothing is silenced yet" in page.inner_text("[role=alert]")
    assert page.input_value("input[name=match]") == "colour=red"
    assert page.input_value("input[name=reason]") == 'the "load" test'
    assert page.evaluate("document.activeElement.name") == "match"
    assert "is no key of a matcher" in page.inner_text("#f-match-p")
    # The status is 400, which Chromium writes to the console.
    assert [error for error in person.errors if "400" not in error] == []
    assert Axe().run(page).response["violations"] == []
    page.fill("input[name=match]", "type=pop version=none")
    page.click("text=Add silence >> visible=true")
    assert "Silence added." in page.inner_text("[role=status].done")
    count = page.locator("#live-silences-1 tbody tr").count()
    page.reload()
    assert page.locator("#live-silences-1 tbody tr").count() == count, "loading the page again added another"


def test_a_test_is_sent_from_the_page(person: Visit) -> None:
    person.sign_in("/deliveries")
    page = person.page
    page.click("#r-near button")
    assert "Test to near: accepted." in page.inner_text("[role=status].done")
    assert "Test by kim: accepted" in page.inner_text("#r-near")
    assert b"TEST from aitems-watcher" in person.place.received[-1]
    page.click("#r-away button")
    assert "Test to away: not delivered" in page.inner_text("[role=alert].done")
    assert person.errors == []
    assert Axe().run(page).response["violations"] == []
    page.click("#r-near button")
    assert "Try again in" in page.inner_text("main")
    page.click("text=Back to the page")
    assert page.url == f"{person.place.url}/deliveries"


def test_a_copy_of_the_cookie_does_not_work_after_signing_out(browser: Browser, person: Visit) -> None:
    person.sign_in("/deliveries")
    state = person.page.context.storage_state()
    with browser.new_context(storage_state=state) as context:
        thief = visit(context, person.place)
        assert thief.go("/deliveries").url.endswith("/deliveries")
        person.page.click("text=Sign out")
        assert thief.go("/deliveries").url.endswith("/login?next=%2Fdeliveries")


def test_a_form_of_another_site_is_refused(person: Visit) -> None:
    person.sign_in("/silences")
    form: dict[str, str | float | bool] = {
        "csrf": "forged",
        "match": "kind=*",
        "length": "1h",
        "reason": "r",
        "author": "a",
    }
    assert person.page.context.request.post(f"{person.place.url}/silences", form=form).status == 403


def test_an_alert_arrives_live_and_a_delivery_is_dropped(person: Visit) -> None:
    person.sign_in()
    paths = every_page(person)
    page = person.go("/")
    service = paths["service"].rsplit("/", 1)[1]
    target = f"{person.place.control}/_control/services/{service}/trains/pop/versions/broken00001"
    _put(target, "learning")
    page.locator("#live-progress", has_text="learning").first.wait_for()
    _put(target, "learningFailed")
    page.locator("#live-problems", has_text="learningFailed").wait_for()
    assert page.url == f"{person.place.url}/", "the page was left"
    person.go("/deliveries")
    page.locator("#live-list-1 a", has_text="Drop").first.click()
    page.click("main button")
    assert "is dropped: it will not be sent." in page.inner_text("[role=status].done")
    assert person.errors == []


def test_a_text_that_is_being_typed_survives_parts_that_come_and_go(person: Visit) -> None:
    person.sign_in()
    page, path = person.page, every_page(person)["service"]
    target = f"{person.place.control}/_control/services/{path.rsplit('/', 1)[1]}/trains/pop/versions/typed000001"
    page.fill("input[name=q]", "half a wo")
    _put(target, "learning")
    page.locator("#live-progress", has_text="learning").first.wait_for()
    _put(target, "learningFailed")
    page.locator("#live-problems", has_text="learningFailed").wait_for()
    assert page.title().startswith(page.inner_text("h1"))
    assert page.input_value("input[name=q]") == "half a wo"
    assert person.errors == []


def test_a_page_with_other_parts_is_not_loaded_again_while_somebody_types(person: Visit) -> None:
    person.sign_in()
    page, streams = person.page, "**/live?**"
    event = "event: parts\ndata: live-of-another-version\n\n"
    page.route(streams, lambda route: route.fulfill(content_type="text/event-stream", body=event))
    page.reload()
    page.fill("input[name=q]", "half a wo")
    page.locator("#live-status", has_text="The page has changed").wait_for(timeout=20_000)
    assert page.input_value("input[name=q]") == "half a wo"
    with page.expect_event("load", timeout=30_000):
        page.fill("input[name=q]", "")


def test_a_page_connects_again_after_a_refusal_and_shows_the_changes_that_it_missed(person: Visit) -> None:
    person.sign_in()
    page, streams = person.page, "**/live?**"
    page.route(streams, lambda route: route.fulfill(status=502))
    page.reload()
    page.locator("#live-status", has_text="lost").wait_for()
    # An answer that failed is in the console, which is no fault of the page.
    person.errors.clear()
    page.evaluate("document.getElementById('live-watcher').textContent = 'of an hour ago'")
    page.unroute(streams)
    page.locator("#live-watcher", has_text="Last poll").wait_for()
    page.locator("#live-status.vh").wait_for(state="attached")
    assert person.errors == []


def test_a_part_with_the_focus_is_replaced_when_it_has_lost_it(person: Visit) -> None:
    person.sign_in()
    page, path = person.page, every_page(person)["service"]
    page.add_init_script(
        "window.streams = []; const Real = EventSource;"
        "window.EventSource = class extends Real { constructor(url) { super(url); streams.push(this); } };"
    )
    versions = f"{person.place.control}/_control/services/{path.rsplit('/', 1)[1]}/trains/pop/versions"
    _put(f"{versions}/focus000001", "learning")
    page = person.go("/")
    page.locator("#live-progress", has_text="learning").first.wait_for()
    page.locator("#live-services a").first.focus()
    page.evaluate("document.getElementById('live-services').classList.add('old')")
    page.evaluate("document.getElementById('live-progress').classList.add('old')")
    _put(f"{versions}/focus000002", "learning")
    page.locator("#live-progress:not(.old)").wait_for()
    page.wait_for_timeout(6_000)
    assert page.locator("#live-services.old").count() == 1, "the part was taken away under the focus"
    # Without a stream, so that no later change replaces it.
    page.evaluate("streams.forEach((stream) => stream.close())")
    page.evaluate("document.activeElement.blur()")
    page.locator("#live-services:not(.old)").wait_for()


def test_a_name_of_one_long_word_does_not_widen_a_phone(browser: Browser, place: Place, person: Visit) -> None:
    name = "recommendation_of_the_homepage_for_members_only"
    person.sign_in()
    _put(f"{place.control}/_control/services/{name}/trains/{name}/versions/{name}", "learning")
    person.go("/").locator("#live-progress", has_text=name).first.wait_for()
    _put(f"{place.control}/_control/services/{name}/trains/{name}/versions/{name}", f"{name}_status")
    person.page.locator("#live-services", has_text=f"{name}_status").first.wait_for()
    person.go("/silences")
    person.page.fill("input[name=match]", f"version={name}")
    person.page.fill("input[name=reason]", name)
    person.page.click("text=Add silence >> visible=true")
    state = person.page.context.storage_state()
    with browser.new_context(viewport={"width": 360, "height": 800}, storage_state=state) as context:
        other = visit(context, place)
        training = f"/training/main/{name}/{name}/{name}"
        for path in ("/", f"/services?q={name}", f"/service/main/{name}", training, "/deliveries", "/silences"):
            page = other.go(path)
            assert name in page.inner_text("main"), path
            assert page.evaluate("document.documentElement.scrollWidth") == 360, (path, "scrolls sideways")


def test_an_outage_leaves_the_last_known_state_and_is_accessible(browser: Browser, place: Place, person: Visit) -> None:
    person.sign_in()
    path = every_page(person)["service"]
    faults = f"{place.control}/_control/faults"
    _put(f"{place.control}/_control/services/{path.rsplit('/', 1)[1]}/trains/pop/versions/outage00001", "learning")
    person.go("/").locator("#live-progress", has_text="learning").first.wait_for()
    state = person.page.context.storage_state()
    urlopen(Request(faults, data=b'{"kind": "500"}', headers={"Content-Type": "application/json"})).close()  # noqa: S310 - our own server
    try:
        person.page.locator("#live-outages h2", has_text="unreachable").first.wait_for(timeout=240_000)
        assert "not judged meanwhile" in person.page.inner_text("#live-outages")
        for scheme, width in (("light", 1280), ("dark", 360)):
            size = {"width": width, "height": 800}
            with browser.new_context(color_scheme=scheme, viewport=size, storage_state=state) as context:  # type: ignore[arg-type]  # literals
                other = visit(context, place)
                for target, part in (("/", "#live-progress"), (path, "#live-service")):
                    page = other.go(target)
                    assert "known" in page.inner_text(part)
                    assert [item["id"] for item in Axe().run(page).response["violations"]] == []
                    assert page.evaluate("document.documentElement.scrollWidth") == width
    finally:
        urlopen(Request(faults, method="DELETE")).close()  # noqa: S310 - our own server
    person.page.locator("#live-outages:empty").wait_for(state="attached", timeout=120_000)
