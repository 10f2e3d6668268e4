"""The templates of the pages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from jinja2 import Environment, UndefinedError

from tests.unit.web.html.test_times import NOW
from watcher.web.cpu_time import CpuTime, counting
from watcher.web.html import renderer
from watcher.web.html.renderer import Renderer
from watcher.web.html.session import Session


def test_a_daemon_keeps_its_templates_while_another_version_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(renderer.__file__).with_name("templates"), tmp_path / "templates")
    monkeypatch.setattr("watcher.web.html.__path__", [str(tmp_path)])
    monkeypatch.setattr("watcher.web.html.__spec__.submodule_search_locations", [str(tmp_path)])
    pages, values = Renderer(), {"problem": "", "next": "/", "name": ""}
    before = pages.html("login.html", Session(can_sign_in=True), NOW, **values)
    login = tmp_path / "templates" / "login.html"
    login.write_text("{{ a_value_of_the_new_version }}", "utf-8")
    os.utime(login, (1, 1))
    assert pages.html("login.html", Session(can_sign_in=True), NOW, **values) == before


def test_the_cpu_time_of_rendering_counts_for_the_page() -> None:
    spent = CpuTime()
    with counting(spent):
        Renderer().html("login.html", Session(can_sign_in=True), NOW, problem="", next="/", name="")
    assert spent.seconds > 0


def test_a_compiled_renderer_compiles_nothing_for_the_first_view_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Renderer()
    pages.compile()
    monkeypatch.setattr(Environment, "compile", lambda *_arguments: pytest.fail("a template is compiled"))
    assert pages.html("login.html", Session(can_sign_in=True), NOW, problem="", next="/", name="")
    with pytest.raises(UndefinedError):
        pages.html("service.html", Session(can_sign_in=True), NOW)
