"""The format of log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from tests.unit.reports.facts import STEERING
from watcher.core.secret import STARS, Secret
from watcher.logs import Redactor, configure


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream, before = io.StringIO(), structlog.get_config()
    configure(Redactor(), stream=stream)
    yield stream
    structlog.configure(**before)


def test_a_time_in_a_log_line_has_the_usual_format(lines: io.StringIO) -> None:
    structlog.get_logger().warning(
        "delivery.retry_scheduled", next_at=datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC), other={1}
    )
    written = json.loads(lines.getvalue())
    assert (written["next_at"], written["other"]) == ("2026-11-26T01:02:03.000000Z", "{1}")


def test_a_run_that_begins_late_is_no_line_in_the_words_of_the_scheduler(lines: io.StringIO) -> None:
    for name in ("apscheduler.scheduler", "apscheduler.executors.default"):
        logging.getLogger(name).warning('Execution of job "%s" skipped', "poll")
        logging.getLogger(name).error('Job "%s" raised an exception', "poll")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == [
        'Job "poll" raised an exception'
    ] * 2


def test_a_request_that_is_no_http_is_no_line_of_the_web_server(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["Exception in ASGI application"]


def test_a_line_begins_with_its_event_then_level_and_time(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(account="main"):
        structlog.get_logger().warning("poll.failed", cause="dns", event_id="evt_1")
    try:
        raise ValueError("no")  # noqa: TRY301 - for its traceback
    except ValueError:
        structlog.get_logger().exception("stage.stop_failed", stage="polling")
    logging.getLogger("some.library").warning("it is %s", "slow")
    for line in lines.getvalue().splitlines():
        assert line.startswith('{"event": ')
        assert list(json.loads(line))[:3] == ["event", "level", "at"]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    stream, before = Terminal(), structlog.get_config()
    redactor = Redactor()
    redactor.learn(Secret("hunter2-hunter2"))
    configure(redactor, stream=stream)
    yield stream
    structlog.configure(**before)


def test_on_a_terminal_a_line_is_plain_text(terminal: Terminal) -> None:
    structlog.get_logger().warning("poll.failed", cause="dns", detail="no such name", failures=3, statuses={"a": 1})
    line = terminal.getvalue()
    assert line.startswith("poll.failed warning 20")
    assert line.endswith(' cause=dns detail="no such name" failures=3 statuses="{\\"a\\": 1}"\n')


@pytest.mark.parametrize("evil", ["\x1b[31mred\x1b]0;owned\x07", "two\nlines", "\u202eback", "\x9b1mwide"])
def test_no_text_in_a_line_controls_the_terminal(terminal: Terminal, evil: str) -> None:
    structlog.get_logger().warning("poll.failed", detail=evil, details=[evil])
    logging.getLogger("some.library").warning(evil)
    assert not STEERING.search(terminal.getvalue())
    assert terminal.getvalue().count("\n") == 2


def test_an_exception_on_a_terminal_keeps_its_lines_and_no_secret(terminal: Terminal) -> None:
    try:
        raise ValueError("the token hunter2-hunter2 is \x1b[31mwrong")  # noqa: TRY301 - for its traceback
    except ValueError:
        structlog.get_logger().exception("stage.stop_failed")
    text = terminal.getvalue()
    assert "\n    Traceback (most recent call last):\n      File " in text
    assert text.endswith("\n    ValueError: the token ********** is wrong\n")
    assert not STEERING.search(text)


@pytest.mark.parametrize("secrets", [("key-of-main", "key-of-main-2"), ("key-of-main-2", "key-of-main")])
def test_a_secret_that_contains_another_is_hidden_whole(secrets: tuple[str, str]) -> None:
    redactor = Redactor()
    for secret in (*secrets, *secrets):
        redactor.learn(Secret(secret))
    assert redactor.clean("a key-of-main-2 b key-of-main c") == f"a {STARS} b {STARS} c"
