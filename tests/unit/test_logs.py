"""The format of log lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

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
