"""R21: no output contains a secret while everything fails, and a rotated secret is applied."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote, quote_plus
from urllib.request import Request, urlopen

import pytest
from standardwebhooks import Webhook

from tests.acceptance.cli_support import COMMAND, Simulated, command, environment, eventually, simulated
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY

TURNS: Final = (500, None, 400, 200, 401, 410, *(302,) * 9)
"""The statuses of an address in turn. A receiver that refuses one delivery three times in a row is failing; of these
statuses, a webhook of Slack refuses only by the redirect."""
SHORTEST: Final = 12
"""The shortest base64 spelling that surely stands for the secret."""

CONFIG: Final = """
[state]
url = "sqlite:///state/watcher.db"

[delivery]
first_retry = "200ms"
max_retry = "300ms"

[incident]
after_failures = 2
after = "100ms"

[web]
listen = "127.0.0.1:0"
token = {{ file = "secrets/web-token" }}

[heartbeat]
url = {{ file = "secrets/heartbeat-url" }}
every = "1s"

[account.main]
base_url = "{base_url}"
access_key = {{ file = "secrets/access-key" }}
secret_key = {{ file = "secrets/secret-key" }}
requests_per_second = 50.0

[account.echo]
base_url = "{echo}/api/v1"
access_key = {{ env = "ECHO_ACCESS_KEY" }}
secret_key = {{ env = "ECHO_SECRET_KEY" }}
requests_per_second = 50.0

[[watch]]
account = "main"
service = "{service}"
interval = "200ms"
idle_interval = "200ms"

[[watch]]
account = "echo"
service = "echoed"
interval = "200ms"
idle_interval = "200ms"

[receiver.chat]
kind = "slack-webhook"
url = {{ file = "secrets/slack-url" }}

[receiver.hook]
kind = "webhook"
url = {{ file = "secrets/hook-url" }}
secret = {{ file = "secrets/hook-secret" }}
headers = {{ Authorization = {{ file = "secrets/hook-token" }} }}

[receiver.bot]
kind = "slack"
token = {{ file = "secrets/slack-token" }}
channel = "C0123456789"
api_url = "{echo}/api/"

[[route]]
match = {{ kind = "*" }}
to = ["chat", "hook", "bot"]
"""


def spellings(secret: str) -> set[str]:
    """Return the spellings of a secret in an output: plain, escaped, quoted, or in base64 at any offset."""
    raw = secret.encode()
    found = {secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe=""), repr(secret)[1:-1]}
    found |= {quote_plus(secret), raw.hex(), secret.replace("/", "\\/")}
    for offset in range(3):
        # The preceding bytes shift the letters; the letters at both ends depend on the neighbours.
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")[4:-2]
        found |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return {spelling for spelling in found if len(spelling) >= SHORTEST}


@dataclass(slots=True)
class Mirror:
    """A server that answers each call with its content, with another status each time."""

    url: str = ""
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    faulty: bool = True

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        self.calls.append((handler.path, {name.lower(): value for name, value in handler.headers.items()}, body))
        if not self.faulty:
            as_bot = handler.path.startswith("/api/") and "xoxb-" in handler.headers.get("Authorization", "")
            self._send(handler, 200, BOT_ANSWER if as_bot else b"ok")
            return
        said = f"{handler.path} {dict(handler.headers)} {body.decode(errors='replace')}"
        # Each address has its own order of statuses: temporary failures come before permanent ones.
        turn = TURNS[(sum(path == handler.path for path, _, _ in self.calls) - 1) % len(TURNS)]
        if turn is None:  # the connection breaks within the body
            handler.wfile.write(b"HTTP/1.1 500 x\r\nContent-Length: 999999\r\n\r\n" + said.encode())
            handler.close_connection = True
            return
        error = json.dumps({"error": {"errorCode": "200", "message": said, "details": said}}).encode()
        self._send(handler, turn, error, {"Location": self.url + handler.path})

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, more: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(more or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def paths(self) -> str:
        return " ".join(path for path, _, _ in self.calls)

    def bodies(self) -> bytes:
        return b"\n".join(body for _, _, body in self.calls)


@contextmanager
def mirroring() -> Iterator[Mirror]:
    mirror = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.answer(self)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_args: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Place:
    """A folder with a configuration, its secrets in files, and every output about it."""

    folder: Path
    simulator: Simulated
    service: str
    mirror: Mirror
    env: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    """Every secret so far."""

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def give(self, name: str, secret: str, hidden: str | None = None) -> None:
        """Write a secret into its file; ``hidden`` is the part that must not appear."""
        file = self.folder / "secrets" / name
        file.parent.mkdir(exist_ok=True, mode=0o700)
        file.write_text(secret + "\n")
        file.chmod(0o600)
        self.given.add(hidden or secret)

    def command(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command with this configuration and keep its output."""
        done = command(*args, "--config", self.config, env=self.env)
        self.said += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr
        return done

    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == name]

    def ask(self, path: str, token: str) -> tuple[int, str]:
        (line,) = self.events("web.started")
        request = Request(f"http://127.0.0.1:{line['port']}{path}", headers={"Authorization": f"Bearer {token}"})
        try:
            with urlopen(request) as answer:  # noqa: S310 - our own
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Yield every output, except the files of the secrets."""
        for file in self.folder.rglob("*"):
            if file.is_file() and file.parent.name != "secrets":
                yield str(file), file.read_bytes()
        yield "the output of commands", "\n".join(self.said).encode()
        yield "the messages", self.mirror.bodies()


def leaks(place: Place) -> list[tuple[str, str]]:
    found = []
    for where, content in place.written():
        for secret in place.given:
            found += [(where, spelling) for spelling in spellings(secret) if spelling.encode() in content]
    return found


def distinct(name: str) -> str:
    """Return a unique secret with characters that some formats escape."""
    return f"{name}+{secrets.token_hex(12)}/=&{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, simulator: Simulated) -> Iterator[Place]:
    with mirroring() as mirror:
        place = Place(tmp_path, simulator, secrets.token_hex(6)[:11], mirror)
        simulator.set_training(place.service, "v1", "learning")
        place.config.write_text(CONFIG.format(base_url=simulator.base_url, echo=mirror.url, service=place.service))
        place.give("access-key", SIMULATOR_ACCESS_KEY)
        place.give("secret-key", distinct("wrong-key"))
        place.give("web-token", distinct("web-token"))
        place.give("hook-token", "Bearer " + distinct("hook-token"))
        place.give("slack-token", distinct("xoxb-token"))
        place.give("hook-secret", "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
        for name in NAMES:
            hidden = f"{name}-{secrets.token_hex(16)}"
            place.give(name, f"{mirror.url}/services/{hidden}", hidden)
        place.env = {"ECHO_ACCESS_KEY": distinct("echo-access"), "ECHO_SECRET_KEY": distinct("echo-secret")}
        place.given |= set(place.env.values())
        yield place


@contextmanager
def daemon(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with every log line, into a file."""
    with (
        (place.folder / "log").open("ab") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "run", "--verbose", "--config", str(place.config)],
            stdout=log,
            stderr=log,
            env={**environment(place.env), "PYTHONFAULTHANDLER": "1"},
        ) as process,
    ):
        try:
            eventually(lambda: bool(place.events("web.started")))
            yield process
        finally:
            process.kill()


NAMES: Final = ("slack-url", "hook-url", "heartbeat-url")
BOT_ANSWER: Final = b'{"ok": true, "ts": "1764000000.000100", "channel": "C0123456789", "messages": []}'
FAULTS: Final = ("401", "401-permission", "500", "xml", "html", "redirect", "garbage", "envelope-200", "deep", "reset")


def test_no_output_contains_a_secret_while_everything_fails(place: Place) -> None:
    with daemon(place) as process:
        process_number = process.pid
        for kind in FAULTS:
            place.simulator.control("POST", "/faults", {"kind": kind, "service": place.service, "times": 3})
            place.simulator.wait_for_polls(2)
        place.give("secret-key", SIMULATOR_SECRET_KEY)
        place.simulator.wait_for_polls(2)
        place.simulator.set_training(place.service, "v1", "learningFailed")
        eventually(lambda: {"hook", "chat"} <= {line["receiver"] for line in place.events("receiver.failing")})
        assert "http 500" in {line["reason"] for line in place.events("delivery.retry_scheduled")}
        eventually(lambda: len(place.mirror.calls) >= 60)
        token = (place.folder / "secrets/web-token").read_text().strip()
        for path in ("/metrics", "/readyz", "/healthz", "/else"):
            place.said.append(place.ask(path, token)[1])
        place.said.append(Path(f"/proc/{process_number}/cmdline").read_text())
        for args in (
            ("check", "--online"),
            ("check", "--online", "--json"),
            ("doctor", "--online"),
            ("doctor", "--online", "--json"),
            ("status",),
            ("status", "--json"),
            ("history",),
            ("history", "--json"),
            ("discover",),
            ("route",),
            ("test", "chat"),
            ("test", "hook"),
            ("test", "bot"),
            ("run",),
            ("once",),
            ("backup", place.folder / "copy.db"),
        ):
            place.command(*args)
        process.send_signal(signal.SIGABRT)
        process.wait(timeout=60)
    assert "Fatal Python error: Aborted" in (place.folder / "log").read_text()
    place.command("once", "--verbose")
    assert len(place.mirror.bodies()) > 1000
    assert leaks(place) == []


def test_the_check_finds_each_spelling_of_a_leak(place: Place) -> None:
    secret = max(place.given)
    for spelling in (
        secret,
        quote(secret),
        json.dumps({"x": secret}),
        base64.b64encode(b"ab" + secret.encode()).decode(),
        base64.urlsafe_b64encode(b"Basic x:" + secret.encode() + b"yz").decode(),
    ):
        place.said[:] = [f"before {spelling} after"]
        assert leaks(place), spelling


def test_a_secret_rotated_in_its_file_is_applied_without_a_restart(place: Place) -> None:
    place.mirror.faulty = False
    with daemon(place):
        eventually(
            lambda: any(line["cause"] == "key" for line in place.events("poll.failed") if "echo" not in line["poll"])
        )
        place.give("secret-key", SIMULATOR_SECRET_KEY)
        eventually(lambda: any(place.service in line["poll"] for line in place.events("poll.recovered")))

        token = distinct("new-token")
        place.give("web-token", token)
        assert place.ask("/metrics", token)[0] == 200
        assert place.ask("/metrics", "another")[0] == 401

        new_key = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        place.give("hook-secret", new_key)
        for name in NAMES:
            hidden = f"new-{name}-{secrets.token_hex(16)}"
            place.give(name, f"{place.mirror.url}/services/{hidden}", hidden)
        place.give("hook-token", "Bearer " + distinct("new-hook-token"))
        place.give("slack-token", distinct("xoxb-new-token"))
        place.mirror.calls.clear()
        place.simulator.set_training(place.service, "v1", "learningFailed")
        eventually(lambda: all(f"/new-{name}" in place.mirror.paths() for name in NAMES))
        eventually(lambda: any("xoxb-new-token" in call[1].get("authorization", "") for call in place.mirror.calls))
        calls = [call for call in place.mirror.calls if "/new-hook-url" in call[0]]
        assert all("new-hook-token" in headers["authorization"] for _, headers, _ in calls)
        for _, headers, body in calls:
            Webhook(new_key).verify(body, headers)
    assert leaks(place) == []
