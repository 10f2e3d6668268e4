"""A badge is well-formed and has room for its texts, whatever a service is called."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from watcher.core.training.model import ServiceRef
from watcher.reports.overview import OpenKind, OpenProblem, ServiceRow, TypeResults
from watcher.store.runs.latest import TypeRef
from watcher.web.html.badge import badge
from watcher.web.html.language.texts import Texts

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, failed: str | None = None) -> ServiceRow:
    """Return a service, perhaps with a type that failed."""
    service = ServiceRef("main", "6wxgu1abcde")
    of = TypeRef("main", service.service, failed or "pop")
    problem = OpenProblem(kind=OpenKind.FAILED, of=of, version="v1", status="learningFailed", since=NOW)
    types = [TypeResults(of=of, results=(), problem=problem if failed else None)]
    return ServiceRow(service=service, name=name, labels={}, types=types)


def parts(shown: ServiceRow, *, is_polled: bool = True) -> tuple[list[str], list[float], float]:
    """Return the texts of a badge, the widths of its two fields, and its width."""
    # Our own picture: an error would be ours.
    picture = ET.fromstring(badge(shown, Texts(), is_polled=is_polled))  # noqa: S314 - see above
    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    widths = [float(element.get("width", 0)) for element in picture.iter(f"{SVG}rect")]
    return texts, widths, float(picture.get("width", 0))


@pytest.mark.parametrize(("name", "pixels"), [("shop", 40), ("쇼핑몰", 48), ("e\u0301", 19)])
def test_each_field_is_as_wide_as_its_text(name: str, pixels: int) -> None:
    texts, widths, width = parts(row(name))
    assert texts == [name, "completed"]
    assert (widths[0], sum(widths)) == (pixels, width)


def test_a_long_text_is_cut_with_a_mark() -> None:
    (name, state), _, width = parts(row("뉴스" * 60, failed="x" * 500))
    assert (len(name), name[-1], len(state), state[-1]) == (40, "…", 40, "…")
    assert width < 1000


def test_hostile_text_is_inert_and_the_picture_stays_well_formed() -> None:
    (name, state), _, _ = parts(row('<a href="x">&\x00\x1b[31m\ufffe\ud800', failed="\u202e<script>"))
    assert name.startswith('<a href="x">&')
    assert state == "<script> failed"


@pytest.mark.parametrize(("failed", "text"), [(None, "not polled"), ("pop", "pop failed")])
def test_a_service_that_is_not_polled_is_not_said_to_be_fine(failed: str | None, text: str) -> None:
    (_, state), _, _ = parts(row("shop", failed), is_polled=False)
    assert state == text
