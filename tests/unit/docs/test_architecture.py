"""``docs/architecture.md`` lists every module of the program, and the layers as import-linter checks them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
SECTION = re.compile(r"^### `([^`]+)/`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"^\| `([^`]+)` \| \S", re.MULTILINE)
FILE = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`")


def listed() -> Iterator[str]:
    """Yield the path of each module that the page lists, below ``watcher/``."""
    for folder, rows in SECTION.findall(PAGE):
        prefix = "" if folder == "watcher" else f"{folder}/"
        yield from (f"{prefix}{name}.py" for name in MODULE.findall(rows))


def test_the_page_lists_every_module() -> None:
    files = (path.relative_to(ROOT / "watcher") for path in (ROOT / "watcher").rglob("*.py"))
    assert sorted(listed()) == sorted(str(file) for file in files if file.name != "__init__.py")


def test_each_file_that_a_task_names_exists() -> None:
    tasks = PAGE.partition("## Where to find it")[2].partition("## Modules")[0]
    files = FILE.findall(tasks)
    assert len(files) > 10
    assert [file for file in files if not (ROOT / "watcher" / file).exists()] == []


def test_the_page_shows_the_layers_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    shown = re.search(r"```text\n(__main__.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert [layer.strip(" {}\n") for layer in shown[1].split("->")] == [layer.strip() for layer in layers]
