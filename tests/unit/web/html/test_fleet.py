"""A fleet of hundreds of services: groups of problems, short lists with links, counts by team, and pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.datastructures import QueryParams

from tests.unit.web.html.test_overview_page import NOW, overview, poll, status
from tests.unit.web.html.test_overview_states import html_of, training
from watcher.core.training.model import ServiceRef
from watcher.reports.overview import OpenKind, OpenProblem, Overview, ServiceRow, TypeResults
from watcher.store.runs.latest import TypeRef
from watcher.web.html.fleet.filter import OverviewFilter, filter_in
from watcher.web.html.fleet.services_page import services_page
from watcher.web.html.fleet.teams import teams
from watcher.web.html.overview_page import overview_values, problem_groups, shown_services
from watcher.web.html.renderer import Renderer
from watcher.web.html.session import Session

TEAMS = ("media", "search", "home")


def problem(number: int, kind: OpenKind) -> OpenProblem:
    of = TypeRef("main", f"service{number:03}", "pop")
    version = None if kind is OpenKind.OVERDUE else "v1"
    return OpenProblem(kind=kind, of=of, version=version, status="x", since=NOW - timedelta(hours=number))


def row(number: int, found: OpenProblem | None = None, *, busy: bool = False) -> ServiceRow:
    of = TypeRef("main", f"service{number:03}", "pop")
    types = [TypeResults(of=of, results=(), problem=found, in_progress=training() if busy else None)]
    labels = {"team": TEAMS[number % 3], "name": str(number)}
    return ServiceRow(service=ServiceRef("main", f"service{number:03}"), name=None, labels=labels, types=types)


def fleet(failed: int, stuck: int, overdue: int, services: int = 300) -> Overview:
    kinds = [OpenKind.FAILED] * failed + [OpenKind.STUCK] * stuck + [OpenKind.OVERDUE] * overdue
    problems = [problem(number, kind) for number, kind in enumerate(kinds)]
    rows = [row(number, problems[number] if number < len(problems) else None) for number in range(services)]
    return replace(overview(status(polls=(poll(0),))), problems=problems, services=rows)


def test_up_to_eight_problems_are_one_list() -> None:
    assert problem_groups(fleet(8, 0, 0).problems, OverviewFilter()) == []
    assert "data-open" not in html_of(fleet(5, 3, 0))


def test_more_problems_are_grouped_by_kind_with_the_first_two_open_and_ten_each() -> None:
    page = fleet(12, 3, 4)
    groups = problem_groups(page.problems, OverviewFilter())
    assert [(group.kind, len(group.shown), group.count, group.is_open) for group in groups] == [
        (OpenKind.FAILED, 10, 12, True),
        (OpenKind.STUCK, 3, 3, True),
        (OpenKind.OVERDUE, 4, 4, False),
    ]
    html = html_of(page)
    assert html.count("<details open data-open>") == 2
    assert '<a href="/?status=failed">All 12</a>' in html


def test_a_kind_that_was_asked_for_is_one_list_of_all() -> None:
    page, wanted = fleet(12, 3, 4), OverviewFilter(status="failed")
    values = overview_values(page, wanted, Renderer().texts)
    assert (values["groups"], values["problem_count"]) == ([], 12)
    html = Renderer().html("overview.html", Session(can_sign_in=False), NOW, **values)
    assert html.count('class="kd">Failed') == 12
    assert "12 open problems here, 7 elsewhere" in html


@pytest.mark.parametrize(
    ("services", "problems", "shown"),
    [(10, 2, (10, 0, 0, 0)), (14, 2, (2, 0, 12, 0)), (15, 2, (2, 0, 0, 13)), (300, 15, (10, 5, 0, 285))],
)
def test_services_without_a_problem_are_listed_where_they_are_few(
    services: int, problems: int, shown: Sequence[int]
) -> None:
    found = shown_services(fleet(problems, 0, 0, services).services)
    assert (len(found.rows), found.more, len(found.rest), found.others) == tuple(shown)


def test_without_a_filter_the_quiet_services_of_a_fleet_are_not_judged_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, judged = fleet(4, 0, 0, services=300), list[ServiceRow]()

    def has_problem(row: ServiceRow) -> bool:
        judged.append(row)
        return any(item.problem is not None for item in row.types)

    monkeypatch.setattr(ServiceRow, "has_problem", property(has_problem))
    overview_values(page, OverviewFilter(), Renderer().texts)
    assert {row.service for row in judged} == {row.service for row in page.services[:5]}


def test_a_large_fleet_has_counts_by_a_label_with_a_few_values() -> None:
    (card,) = teams(fleet(4, 0, 0, services=31))
    assert card.name == "team"
    assert [(item.label, item.services, item.problems) for item in card.rows] == [
        ("team=media", 11, 2),
        ("team=home", 10, 1),
        ("team=search", 10, 1),
    ]
    assert teams(fleet(4, 0, 0, services=30)) == []
    assert "By team" in html_of(fleet(4, 0, 0))


@pytest.mark.parametrize(
    ("number", "first", "count"),
    [("", 0, 40), ("2", 40, 40), ("8", 280, 23), ("99", 280, 23), ("0", 0, 40), ("x", 0, 40), ("9" * 5000, 280, 23)],
)
def test_the_services_come_forty_at_a_time(number: str, first: int, count: int) -> None:
    page = fleet(0, 0, 0, services=303)
    found = services_page(page, OverviewFilter(), number)
    assert (found.rows[0], len(found.rows), found.count) == (page.services[first], count, 303)


def test_a_filter_without_a_service_has_an_empty_page() -> None:
    found = services_page(fleet(0, 0, 0), OverviewFilter(text="none"), "3")
    assert (found.rows, found.number, found.count) == ([], 1, 0)


@pytest.mark.parametrize(
    ("name", "numbers"), [("failed", [0]), ("overdue", [1]), ("in-progress", [2]), ("fine", [3]), ("", [0, 1, 2, 3])]
)
def test_the_filter_takes_a_status(name: str, numbers: list[int]) -> None:
    rows = [row(0, problem(0, OpenKind.FAILED)), row(1, problem(1, OpenKind.OVERDUE)), row(2, busy=True), row(3)]
    wanted = filter_in(QueryParams({"status": name}))
    assert [number for number, item in enumerate(rows) if wanted.takes(item)] == numbers


@pytest.mark.parametrize(
    ("services", "text", "said"), [(0, "", "No service is watched yet."), (9, "none", "The filter takes no service.")]
)
def test_an_empty_page_of_services_says_why(services: int, text: str, said: str) -> None:
    page, wanted = fleet(0, 0, 0, services), OverviewFilter(text=text)
    values = services_page(page, wanted, "").values(page, wanted, ())
    html = Renderer().html("services.html", Session(can_sign_in=False), NOW, **values)
    assert (said in html, "of 0" in html) == (True, False)


def test_an_unknown_status_is_no_filter_and_an_address_keeps_the_others() -> None:
    wanted = filter_in(QueryParams("q=shop&label=team%3Da%26b&status=none"))
    assert wanted.status == ""
    assert wanted.query(status="failed", page=2) == "q=shop&label=team%3Da%26b&status=failed&page=2"


def test_the_filter_shows_a_label_that_no_service_has_any_more() -> None:
    page, wanted = fleet(0, 0, 0), OverviewFilter(label="team=gone")
    html = Renderer().html(
        "overview.html", Session(can_sign_in=False), NOW, **overview_values(page, wanted, Renderer().texts)
    )
    assert '<option value="team=gone" selected>team=gone</option>' in html
    assert "team=gone" not in html_of(page)


def test_the_ends_are_of_the_services_that_are_shown() -> None:
    assert "No run has ended yet." in html_of(fleet(0, 0, 0))


def test_a_page_of_hundreds_of_services_stays_small() -> None:
    html = html_of(fleet(60, 60, 60))
    assert len(html) < 100_000
    assert len(re.findall('class="pb nk"', html)) == 30
