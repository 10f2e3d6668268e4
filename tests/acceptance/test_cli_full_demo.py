"""``demo`` from its start to its end: alerts on the console and to other receivers."""

from __future__ import annotations

import re
import subprocess
from typing import Any

from tests.acceptance.cli_support import SECONDS


def test_it_shows_alerts_sends_them_elsewhere_and_ends_after_its_time(
    running_demo: tuple[subprocess.Popen[str], list[Any]],
) -> None:
    process, posted = running_demo
    shown, said = process.communicate(timeout=SECONDS)
    lines = shown.splitlines()
    assert "demo" in lines[0]
    assert "Ctrl-C ends it" in lines[0]
    assert any("New training · DEMO shop-main" in line for line in lines)
    assert any("Training completed · DEMO shop-main" in line for line in lines)
    assert re.fullmatch(
        r"\d+ events: .*\b1 succeeded\b.*; \d+ alerts to console, \d+ alerts? to slack-webhook", lines[-2]
    )
    assert "\x1b" not in shown
    assert said == ""
    assert ["DEMO shop-main" in post["text"] for post in posted] == [True]
    assert (process.returncode, lines[-1]) == (1, "webhook: 1 alert not delivered: not sent: connect")
