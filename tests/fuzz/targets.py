"""The fuzz targets: each reader of foreign input takes bytes and must end with a result or its own error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from watcher.aitems.errors import cause_of, read_error
from watcher.aitems.wire import AnswerTimes, read_service, read_services, read_training, read_trainings
from watcher.config import ConfigError, format_duration, load, parse_duration
from watcher.core.delivery.model import Degrade, Delivered, Refused, TryLater, Uncertain
from watcher.core.training.model import TrainingRef
from watcher.http import Answered, Headers
from watcher.http.fields import retry_after_seconds, server_date
from watcher.receivers.responses import redactor_for
from watcher.receivers.slack import api as slack_api
from watcher.receivers.slack.error_names import WEB_API
from watcher.receivers.slack.errors import classify, read_answer

NOW: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TIMES: Final = AnswerTimes(asked_at=NOW, answered_at=NOW)
REF: Final = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
LONGEST_PAUSE: Final = 900.0
OUTCOMES: Final = (Delivered, TryLater, Uncertain, Degrade, Refused)


def aitems(data: bytes) -> None:
    """Read an answer of AiTEMS as each call would."""
    read_training(data, REF, TIMES)
    read_trainings(data, REF.service_ref)
    read_services(data, REF.account)
    read_service(data, REF.service_ref)
    for status in (200, 401, 404, 429, 500):
        cause_of(status, read_error({}, data), None, NOW)


def slack(data: bytes) -> None:
    """Classify an answer of Slack to a webhook and to a bot, with several statuses."""
    redactor = redactor_for(None, ())
    for status in (200, 404, 429, 500):
        answer = Answered(status=status, headers=Headers([]), body=data, asked_at=NOW, answered_at=NOW)
        assert isinstance(classify(read_answer(answer, redactor), 0), OUTCOMES)
        to_bot = read_answer(answer, redactor, slack_api._document(data))
        for degrade in range(3):
            assert isinstance(classify(to_bot, degrade, WEB_API), OUTCOMES)


def toml(data: bytes) -> None:
    """Read a configuration: it is valid, or the error names its faults."""
    message = "valid"
    try:
        load(Path("/nowhere/config.toml"), text=data.decode("utf-8", "replace"))
    except ConfigError as error:
        message = str(error)
    assert message.strip(), "an error without a text"


def retry_after(data: bytes) -> None:
    """Read a Retry-After: no wait, or one of at most the limit."""
    value, _, date = data.decode("latin-1").partition("\n")
    seconds = retry_after_seconds({"retry-after": value, "date": date}, NOW, at_most=LONGEST_PAUSE)
    assert seconds is None or 0 <= seconds <= LONGEST_PAUSE
    time = server_date({"date": value}, NOW)
    assert time is None or time.utcoffset() == timedelta()


def duration(data: bytes) -> None:
    """Read and write durations: each valid text and each length survives a round trip."""
    length = timedelta(milliseconds=int.from_bytes(data[:6], "big"))
    assert parse_duration(format_duration(length)) == length
    try:
        found = parse_duration(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert parse_duration(format_duration(found)) == found


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = MappingProxyType(
    {"aitems": aitems, "slack": slack, "toml": toml, "retry-after": retry_after, "duration": duration}
)
