"""``wait`` as a process: in a shell script, with signals, on a terminal, and without a reader."""

from __future__ import annotations

import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.acceptance.cli_support import (
    COMMAND,
    KEYS,
    SECONDS,
    Simulated,
    Workplace,
    environment,
    eventually,
    on_terminal,
    read_until,
    simulated,
    started,
    stopped,
)

SCRIPT = 'if "$@" >out 2>err; then echo deploy; else echo "status $?"; fi'


@dataclass(frozen=True, slots=True)
class Place:
    """A workplace, perhaps beside a daemon, and the environment of the command."""

    workplace: Workplace
    env: dict[str, str]

    @property
    def service(self) -> str:
        return self.workplace.service

    def script(self, *args: str) -> subprocess.Popen[str]:
        """Start a shell script that deploys after a good training."""
        return subprocess.Popen(  # noqa: S603 - our own command
            ["/bin/sh", "-c", SCRIPT, "sh", *COMMAND, *self.args(*args)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(self.env),
            cwd=self.workplace.folder,
        )

    def args(self, *args: str) -> list[str]:
        return ["wait", *args, "--config", str(self.workplace.config)]

    def said(self, script: subprocess.Popen[str]) -> str:
        """Return the words of the script after its end."""
        out, _ = script.communicate(timeout=SECONDS)
        return out.strip()

    def until_shown(self, word: str) -> None:
        """Wait until the command of a script has printed a word."""
        out = self.workplace.folder / "out"
        eventually(lambda: out.exists() and word in out.read_text())


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture(scope="module", params=["alone", "daemon"])
def place(
    simulator: Simulated, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Place]:
    workplace = Workplace(tmp_path_factory.mktemp("wait"), uuid.uuid4().hex[:11], simulator)
    workplace.set_training("v1", "learning")
    workplace.write()
    with ExitStack() as stack:
        if request.param == "daemon":
            daemon = stack.enter_context(started("run", "--config", str(workplace.config), env=KEYS))
            read_until(daemon, "watcher.started")
        # Beside a daemon the command has no keys, so that it can make no request.
        yield Place(workplace, {} if request.param == "daemon" else dict(KEYS))


@pytest.mark.parametrize(("last", "said"), [("completed", "deploy"), ("learningFailed", "status 1")])
def test_a_script_deploys_only_after_a_good_training(place: Place, last: str, said: str) -> None:
    version = f"ends-{last}"
    place.workplace.set_training(version, "learning")
    script = place.script("shop-main", "pop", version)
    place.until_shown(f"{version}: learning")
    place.workplace.set_training(version, last)
    assert place.said(script) == said


def test_a_script_knows_a_timeout_from_a_wait_in_vain(place: Place) -> None:
    assert place.said(place.script(place.service, "pop", "v1", "--timeout", "500ms")) == "status 2"
    assert place.said(place.script(place.service, "pop", "v9")) == "status 3"


def test_an_interrupted_wait_ends_with_130(place: Place) -> None:
    number = signal.SIGTERM if place.env else signal.SIGINT
    with started(*place.args(place.service, "pop", "v1"), env=place.env) as process:
        read_until(process, "learning")
        assert stopped(process, number) == (130, "")


@pytest.mark.parametrize("place", ["alone"], indirect=True)
def test_a_wait_without_a_reader_ends_quietly(place: Place) -> None:
    place.workplace.set_training("read", "learning")
    with started(*place.args(place.service, "pop", "read"), env=place.env) as process:
        read_until(process, "learning")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        place.workplace.set_training("read", "completed")
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("place", ["alone"], indirect=True)
def test_a_terminal_shows_a_live_line(place: Place) -> None:
    shown = on_terminal(*place.args(place.service, "pop", "v1", "--timeout", "2s"), env=place.env).decode()
    assert shown.count("\r\x1b[2K") > 2
    assert shown.rstrip().endswith("timed out after 2s: learning")
