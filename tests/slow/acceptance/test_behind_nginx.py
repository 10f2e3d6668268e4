"""The pages, the API and the metrics through nginx, below a base path that nginx passes or strips."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.acceptance.cli_support import COMMAND, LOG, WATCH, environment, read_until, started
from tests.acceptance.page_shell import free_ports
from tests.slow.acceptance.test_pages_in_chromium import CHROMIUM, FLAGS
from tests.support.accounts import account_table
from tests.support.paths import ROOT

NGINX: Final = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
TOKEN: Final = "sesame-of-the-test"
BASE: Final = "/aitems"
SERVICE: Final = "shop0000001"
VERSIONS: Final = {"v 1": "v%201", "a/b": "a~2Fb", "...": "~2E~2E~2E"}
"""Names of versions, and how they stand in a link; the watcher polls no version ``..``."""
WORLD: Final = f'unknown_words = true\n[[service]]\nid = "{SERVICE}"\n' + "".join(
    f'[[service.training]]\ntype = "pop"\nversion = "{name}"\nlife = [{{ at = "0s", status = "learning" }}]\n'
    for name in VERSIONS
)
STATE: Final = """
[state]
url = "sqlite:///watcher.db"
"""
NGINX_CONFIG: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{passing};
        {passing_block}
    }}
    server {{
        listen 127.0.0.1:{stripping};
        {stripping_block}
    }}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs Debian's nginx-light: apt-get install nginx-light")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """One server of nginx in front of the daemon."""

    port: int
    control: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        """Send a request, with the host and the origin of a browser in front of nginx."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Accept": "text/html", **headers}
        if form is None:
            connection.request("GET", path, headers=given)
        else:
            given |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.url}
            connection.request("POST", path, urlencode(form), given)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read().decode()
        connection.close()
        return Answer(answer.status, found, body)

    def sign_in(self) -> str:
        """Sign in and return the cookie."""
        answer = self.ask(f"{BASE}/login", {"token": TOKEN, "name": "kim", "next": f"{BASE}/silences"})
        assert (answer.status, answer.headers["location"]) == (303, f"{BASE}/silences")
        assert "Path=/aitems;" in answer.headers["set-cookie"]
        return answer.headers["set-cookie"].partition(";")[0]


def of_the_page(language: str) -> str:
    """Return the example with the base path in docs/page.md."""
    text = (ROOT / "docs" / "page.md").read_text()
    (found,) = [block for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if BASE in block]
    return str(found)


def stripping(block: str) -> str:
    """Return the block of a proxy that strips the base path, and that says the host in another header."""
    return re.sub(r"(proxy_pass [^;]+);", r"\1/;", block).replace("_header Host ", "_header X-Forwarded-Host ")


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    folder = tmp_path_factory.mktemp("nginx")
    api, web, *ports = free_ports(4)
    found = [Proxy(port, f"http://127.0.0.1:{api}") for port in ports]
    with ExitStack() as stack:
        (folder / "world.toml").write_text(WORLD)
        keys = ("--access-key", "a-key", "--secret-key", "a-secret")
        simulator = started("simulate", "--port", str(api), "--script", folder / "world.toml", *keys)
        read_until(stack.enter_context(simulator), "aitems-watcher run")
        _run(stack, folder, [*COMMAND, "run", "--config", str(_daemon_config(folder, api, web))])
        _run(stack, folder, [str(NGINX), "-p", str(folder), "-c", str(_nginx_config(folder, web, ports))])
        for proxy in found:
            _wait_for(f"{proxy.url}{BASE}/healthz")
        yield dict(zip(("passing", "stripping"), found, strict=True))


@pytest.fixture(params=["passing", "stripping"])
def proxy(request: pytest.FixtureRequest, proxies: dict[str, Proxy]) -> Proxy:
    return proxies[request.param]


def _daemon_config(folder: Path, api: int, web: int) -> Path:
    example = of_the_page("toml").replace("8787", str(web))
    account = account_table(f"http://127.0.0.1:{api}/api/v1", "requests_per_second = 50")
    path = folder / "config.toml"
    path.write_text(f"{example}{STATE}{account}{WATCH.format(service=SERVICE)}{LOG}")
    return path


def _nginx_config(folder: Path, web: int, ports: list[int]) -> Path:
    block = of_the_page("nginx").replace("8787", str(web))
    path = folder / "nginx.conf"
    path.write_text(
        NGINX_CONFIG.format(
            folder=folder,
            passing=ports[0],
            stripping=ports[1],
            passing_block=block,
            stripping_block=stripping(block),
        )
    )
    return path


def _run(stack: ExitStack, folder: Path, command: list[str]) -> None:
    log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("w"))
    keys = {"NCP_ACCESS_KEY": "a-key", "NCP_SECRET_KEY": "a-secret", "WEB_TOKEN": TOKEN}
    process = stack.enter_context(
        subprocess.Popen(command, stdout=log, stderr=log, env=environment(keys))  # noqa: S603 - our own commands
    )
    stack.callback(process.terminate)


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urlopen(url).close()  # noqa: S310 - our own server
        except (URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def known(proxy: Proxy) -> set[str]:
    """Wait until the daemon knows each version; return their names."""
    for _ in range(300):
        answer = proxy.ask(f"{BASE}/api/v1/trainings", Authorization=f"Bearer {TOKEN}")
        found = {item["version"] for item in json.loads(answer.body)["trainings"]}
        if found == set(VERSIONS):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_person_signs_in_acts_and_signs_out(proxy: Proxy) -> None:
    first = proxy.ask(f"{BASE}/")
    assert (first.status, first.headers["location"]) == (303, f"{BASE}/login?next=%2F")
    assert proxy.ask(BASE).status == 301, "nginx adds the slash"
    cookie = proxy.sign_in()
    page = proxy.ask(f"{BASE}/", Cookie=cookie).body
    assert f'<link rel="stylesheet" href="{BASE}/static/style.css">' in page
    style = proxy.ask(f"{BASE}/static/style.css")
    assert (style.status, style.headers["content-type"].partition(";")[0]) == (200, "text/css")
    silences = proxy.ask(f"{BASE}/silences", Cookie=cookie).body
    found = re.search(r'name="csrf" value="(\w+)"', silences)
    assert found is not None
    form = {"csrf": found[1], "match": "type=pop", "length": "1h", "reason": f"load {proxy.port}", "author": "kim"}
    added = proxy.ask(f"{BASE}/silences", form, Cookie=cookie)
    assert (added.status, added.headers["location"].partition("?")[0]) == (303, f"{BASE}/silences")
    after = proxy.ask(added.headers["location"], Cookie=cookie).body
    assert "Silence added." in after
    assert f"load {proxy.port}" in after
    assert proxy.ask(f"{BASE}/signout", {"csrf": found[1]}, Cookie=cookie).headers["location"] == f"{BASE}/"
    assert proxy.ask(f"{BASE}/silences", Cookie=cookie).headers["location"] == f"{BASE}/login?next=%2Fsilences"


def test_a_program_reads_the_api_and_the_metrics(proxy: Proxy) -> None:
    for path in ("/metrics", "/readyz", "/api/v1/status"):
        assert proxy.ask(f"{BASE}{path}", Authorization=f"Bearer {TOKEN}").status in {200, 503}
        assert proxy.ask(f"{BASE}{path}").status == 401
    metrics = proxy.ask(f"{BASE}/metrics", Authorization=f"Bearer {TOKEN}")
    assert "aitems_watcher_ready" in metrics.body
    described = json.loads(proxy.ask(f"{BASE}/api/v1/openapi.json", Authorization=f"Bearer {TOKEN}").body)
    assert described["servers"] == [{"url": BASE}]


def test_a_version_of_any_name_survives_the_proxy(proxy: Proxy) -> None:
    for name in sorted(known(proxy)):
        link = f"main/{SERVICE}/pop/{VERSIONS[name]}"
        answer = proxy.ask(f"{BASE}/api/v1/trainings/{link}", Authorization=f"Bearer {TOKEN}")
        assert (answer.status, json.loads(answer.body)["training"]["version"]) == (200, name)
        assert proxy.ask(f"{BASE}/training/{link}", Cookie=proxy.sign_in()).status == 200


def test_the_proxy_holds_no_event_of_a_stream_back(proxy: Proxy) -> None:
    connection = HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("GET", f"{BASE}/live?page=/silences", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream; charset=utf-8")
    lines = iter(answer.readline, b"")
    assert next(line for line in lines if line.startswith(b"event"))
    # A page that changes rarely: its few bytes come alone, while the stream stays open.
    assert next(line for line in lines if line == b"event: alive\n")
    connection.close()


def test_each_client_of_the_proxy_has_its_own_guesses(proxy: Proxy) -> None:
    # nginx adds the true address of its client, which here is 127.0.0.1 each time and trusted, so it goes further back.
    def guess(token: str, client: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": client}
        return proxy.ask(f"{BASE}/metrics", None, **headers).status

    attacker = f"203.0.113.{proxy.port % 250}"
    assert [guess(f"wrong {number}", attacker) for number in range(6)] == [401] * 5 + [429]
    assert (guess(TOKEN, attacker), guess(TOKEN, "198.51.100.9")) == (429, 200)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
def test_a_browser_stays_below_the_base_path(proxy: Proxy) -> None:
    known(proxy)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page, errors, asked = browser.new_page(), list[str](), list[str]()
        page.on("console", lambda line: errors.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        walk(page, proxy)
        browser.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(f"{proxy.url}{BASE}/")] == []
    assert [url for url in asked if "/live?" in url]


def walk(page: Page, proxy: Proxy) -> None:
    """Sign in, see a change arrive, look at each training, silence it, and sign out."""
    page.goto(f"{proxy.url}{BASE}/")
    page.fill("input[name=token]", TOKEN)
    page.fill("input[name=name]", "kim")
    page.click("main button")
    assert page.url == f"{proxy.url}{BASE}/"
    page.locator("#live-watcher", has_text="Last poll").wait_for()
    page.evaluate("document.getElementById('live-watcher').textContent = 'of an hour ago'")
    page.locator("#live-watcher", has_text="Last poll").wait_for()
    for name, part in VERSIONS.items():
        page.goto(f"{proxy.url}{BASE}/service/main/{SERVICE}")
        page.locator(f'a[href$="/pop/{part}"]').first.click()
        assert page.url == f"{proxy.url}{BASE}/training/main/{SERVICE}/pop/{part}"
        assert name in page.inner_text("main")
    page.click(".actions a[href*=silences]")
    page.fill("input[name=reason]", f"by {proxy.port}")
    page.click("text=Add silence >> visible=true")
    page.locator("#live-silences-1", has_text=f"by {proxy.port}").wait_for()
    page.click("text=Sign out")
    assert page.url.startswith(f"{proxy.url}{BASE}/login")
