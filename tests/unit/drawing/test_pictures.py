"""Pictures are valid SVG, show what they are about, and let no text from outside become an element."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta
from xml.etree import ElementTree as ET

import pytest

from tests.support.past_runs import NOW, past_run, past_runs
from tests.support.runs import ended_run
from tests.unit.reports.facts import EVIL
from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.comparison import UsualFacts
from watcher.drawing import palette, run_stages, service_durations, svg
from watcher.drawing.run_stages import bars_in_progress, bars_of, draw_runs
from watcher.drawing.service_durations import Panel, draw_durations

HOSTILE = (
    "<script>alert(1)</script>",
    '"><image href="http://x"/>',
    "]]>&amp;&lt;",
    EVIL,
    "a\x00b\x0c\ufffe\ud800",
    "x" * 5000,
)
MINUTE = timedelta(minutes=1)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def elements(picture: str) -> list[tuple[str, str]]:
    """Return the name and the text of each element."""
    root = ET.fromstring(picture.encode("utf-8", "replace"))  # noqa: S314 - our own picture
    return [(item.tag.rpartition("}")[2], item.text or "") for item in root.iter()]


def texts(picture: str) -> list[str]:
    return [text for name, text in elements(picture) if name == "text"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    run = ended_run(1)
    hostile = replace(run, status=text, stages=tuple(replace(stage, status=text) for stage in run.stages))
    row = bars_of(hostile, text, NOW)
    assert row is not None
    panels = [Panel(text, past_runs([60.0] * 9), 0)]
    for picture in (draw_runs(text, [row]), draw_durations(text, panels, NOW - timedelta(days=1), NOW, UTC)):
        assert {name for name, _ in elements(picture)} <= {"svg", "title", "style", "rect", "line", "path", "text"}
        assert "href" not in {key for item in ET.fromstring(picture) for key in item.attrib}  # noqa: S314
        assert len(picture) < 20_000


def test_a_run_has_a_bar_a_stage_with_its_bounds_and_its_duration() -> None:
    row = bars_of(ended_run(1, minutes=50), "ended", NOW)
    assert row is not None
    picture = draw_runs("s pop v1", [row])
    shown = texts(picture)
    assert {"s pop v1", "completed", "waiting", "learning", "50m", "ended"} <= set(shown)
    names = [name for name, _ in elements(picture)]
    assert names.count("rect") == 1 + 2 + 2, "the ground, two bars and two signs of the legend"
    assert names.count("path") == 2, "the bounds of the end of each stage"


def test_a_run_in_progress_lasts_until_now() -> None:
    began, moved = (Bounds(after=NOW - age - MINUTE, before=NOW - age + MINUTE) for age in (30 * MINUTE, 10 * MINUTE))
    stages = (Stage(status="waiting", entered=began), Stage(status="learning", entered=moved))
    start = RunStart(started_after=began.after, started_before=began.before)
    shown = texts(draw_runs("t", [bars_in_progress(CurrentRun(start=start, stages=stages), NOW, NOW)]))
    assert {"in progress", "30m"} <= set(shown)


def test_a_stage_whose_entry_is_not_known_is_drawn_in_dashes_and_takes_at_least_as_long_as_it_was_seen() -> None:
    unknown = CurrentRun(start=None, stages=(Stage(status="learning", entered=None),))
    picture = draw_runs("t", [bars_in_progress(unknown, NOW, NOW - 25 * MINUTE)])
    assert "stroke-dasharray" in picture
    assert "at least 25m" in texts(picture)
    run = ended_run(1)
    first = replace(run.stages[0], entered=None)
    row = bars_of(replace(run, start=None, stages=(first, *run.stages[1:])), "", run.ended.middle - 40 * MINUTE)
    assert row is not None
    assert "at least 40m" in texts(draw_runs("t", [row]))
    assert bars_of(replace(run, stages=()), "", NOW) is None


@pytest.mark.parametrize(("runs", "bands"), [(3, 0), (9, 1), (200, 1)])
def test_a_panel_has_a_sign_for_each_outcome_and_a_band_of_what_was_usual(runs: int, bands: int) -> None:
    known = [
        *past_runs([3000.0 + number for number in range(runs)]),
        past_run(600, outcome=Outcome.FAILED),
        past_run(700, outcome=Outcome.STOPPED),
    ]
    picture = draw_durations("shop", [Panel("pop", known, 2)], NOW - timedelta(days=30), NOW, UTC)
    assert picture.count("h0M") == runs - 1
    assert picture.count("l8 8m0-8l-8 8") == 1
    assert picture.count("a3 3 0 1 0 6 0") == 1
    assert picture.count("Z") == bands
    (summary,) = (text for text in texts(picture) if text.startswith("pop: "))
    assert summary.startswith(f"pop: {runs + 4} runs, 1 failed")
    assert summary.endswith("2 without a known start not drawn")


def test_the_band_is_known_from_the_runs_before_the_period_too() -> None:
    learned = past_runs([3000.0 + number for number in range(12)])
    alone, whole = Panel("pop", learned[8:], 0), Panel("pop", learned[8:], 0, learned=learned, before=8)
    bands = [draw_durations("shop", [panel], NOW - timedelta(days=4), NOW, UTC).count("Z") for panel in (alone, whole)]
    assert bands == [0, 1]


def test_a_panel_names_the_usual_durations_with_their_number_of_runs_and_no_heading_where_the_page_has_it() -> None:
    usual = UsualFacts(median=50 * MINUTE, low=40 * MINUTE, high=60 * MINUTE, longest=90 * MINUTE, runs=9)
    wide = replace(usual, whole_account=True)
    panels = [Panel("pop", past_runs([3000.0] * 6), 0, usual=found) for found in (usual, wide)]
    shown = texts(draw_durations("shop", panels, NOW - timedelta(days=9), NOW, UTC, headed=False))
    assert "6 runs, 0 failed, usually 40m to 1h (9 runs)" in shown
    assert "6 runs, 0 failed, usually 40m to 1h (9 runs of this type in the account)" in shown
    assert not {"shop", "pop"} & set(shown)


def test_many_runs_make_a_small_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_durations, "STEPS", 5)
    known = [past_run(3000 + number % 500, timedelta(hours=1460 - number)) for number in range(1460)]
    assert len(draw_durations("shop", [Panel("pop", known, 0)], NOW - timedelta(days=365), NOW, UTC)) < 40_000


def a_picture(*, narrow: bool) -> list[str]:
    row = bars_of(ended_run(1, minutes=50), "ended 27 Nov 23:58", NOW)
    assert row is not None
    title = "grocery-feed-of-the-shop (6wxgu1abcde) personalRecommend maqll0abcde"
    panel = Panel("personalRecommend", past_runs([60.0] * 40), 2)
    frame, width = (run_stages.NARROW, service_durations.NARROW) if narrow else (run_stages.WIDE, 880)
    return [
        draw_runs(title, [row] * 3, frame),
        draw_durations(title, [panel, panel], NOW - timedelta(days=90), NOW, UTC, width),
        # A mark at the very end.
        draw_durations(title, [panel], MIDNIGHT - timedelta(days=28), MIDNIGHT, UTC, width),
    ]


@pytest.mark.parametrize("narrow", [False, True])
def test_no_text_leaves_the_picture(*, narrow: bool) -> None:
    for picture in a_picture(narrow=narrow):
        root = ET.fromstring(picture)  # noqa: S314 - our own picture
        width = float(root.attrib["width"])
        for item in (item for item in root.iter() if item.tag.endswith("text")):
            length = len(item.text or "") * 0.52 * float(item.attrib.get("font-size", "12"))
            start = float(item.attrib["x"]) - length * {"end": 1, "middle": 0.5}.get(
                item.attrib.get("text-anchor", ""), 0
            )
            assert 0 <= start <= start + length <= width, item.text


def test_each_colour_has_another_one_at_night_and_a_printer_keeps_the_light_one() -> None:
    used = {
        colour for picture in a_picture(narrow=False) for colour in re.findall(r'(?:fill|stroke)="(#\w+)"', picture)
    }
    assert used <= palette.NIGHT.keys()
    assert len(set(palette.NIGHT.values())) == len(palette.NIGHT)
    assert svg.STYLE.startswith("@media screen and (prefers-color-scheme:dark){")


def test_colours_have_enough_contrast_with_both_grounds() -> None:
    for colour in (palette.INK, palette.FAINT, *palette.OUTCOMES.values()):
        assert contrast(colour, palette.GROUND) >= 4.5
        assert contrast(palette.NIGHT[colour], palette.NIGHT[palette.GROUND]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
