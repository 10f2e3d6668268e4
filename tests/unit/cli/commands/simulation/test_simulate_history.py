"""The options and the text of ``simulate --history``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from tests.unit.reports.facts import plain_screen
from watcher.cli.commands.simulation.simulate import show_running
from watcher.cli.commands.simulation.simulate_history import (
    HistoryRequest,
    WritingProgress,
    WrittenHistory,
    history_request,
    show_history,
    write_history,
)
from watcher.config import load
from watcher.operations.invented_history import HistoryCounts
from watcher.simulator import Running, Simulator, SimulatorSettings
from watcher.simulator.invented.history import HistoryPlan

START = datetime(2026, 1, 1, tzinfo=UTC)
FILE = Path("year.db")


def shown(file: Path) -> str:
    screen, stream = plain_screen()
    show_history(written_to(file), screen)
    return stream.getvalue()


def written_to(file: Path) -> WrittenHistory:
    request = HistoryRequest(file=file, plan=HistoryPlan(days=365, services=2))
    return WrittenHistory(request=request, began_at=START, runs=8, events=30)


def test_it_counts_the_rows() -> None:
    assert shown(FILE).splitlines()[0] == "8 runs, 30 events, 2 services, 365 days: year.db"


@pytest.mark.parametrize("name", ["year.db", 'a "quoted" name.db', "해.db"])
def test_the_printed_configuration_names_the_store(tmp_path: Path, name: str) -> None:
    text = shown(tmp_path / name).partition("trainings:\n\n")[2].partition("\n\n  aitems-watcher")[0]
    config = load(Path("/nowhere/config.toml"), text=text)
    assert config.store_path({}) == tmp_path / name
    assert [watch.name for watch in config.watches] == ["shop-main", "news-feed"]


def test_the_printed_configuration_of_many_services_names_some_and_watches_all() -> None:
    screen, stream = plain_screen()
    request = HistoryRequest(file=FILE, plan=HistoryPlan(days=365, services=20))
    show_history(WrittenHistory(request=request, began_at=START, runs=8, events=30), screen)
    text = stream.getvalue().partition("trainings:\n\n")[2].partition("\n\n  aitems-watcher")[0]
    watches = load(Path("/nowhere/config.toml"), text=text).watches
    assert [watch.name is None for watch in watches] == [False, False, False, True]
    assert watches[-1].service == "*"


def test_a_served_history_prints_a_configuration_for_the_daemon() -> None:
    screen, stream = plain_screen()
    show_running(Running(Simulator(), "127.0.0.1", 4321), SimulatorSettings(), screen, written_to(Path("/tmp/y.db")))  # noqa: S108
    text = stream.getvalue().partition("config.toml:\n\n")[2].partition("\n\nand these")[0]
    config = load(Path("/nowhere/config.toml"), text=text)
    assert config.store_path({}) == Path("/tmp/y.db")  # noqa: S108
    assert [watch.service for watch in config.watches] == ["*"]
    assert config.accounts["main"].base_url == "http://127.0.0.1:4321/api/v1"


def test_options_that_are_not_given_have_their_default() -> None:
    request = history_request(30, FILE, None, {"services": 7, "failures": None, "seed": 3})
    assert request == HistoryRequest(file=FILE, plan=HistoryPlan(days=30, services=7, seed=3))


@pytest.mark.parametrize(
    ("days", "file", "script", "message"),
    [
        (None, FILE, None, "needs --history"),
        (None, None, None, "needs --history"),
        (30, None, None, "needs --into"),
        (30, FILE, Path("world.toml"), "leave out --script"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    days: int | None, file: Path | None, script: Path | None, message: str
) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        history_request(days, file, script, {"services": 1})


def test_an_interrupted_history_says_that_its_file_is_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_progress: WritingProgress, _counts: HistoryCounts) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WritingProgress, "show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_history(HistoryRequest(file=tmp_path / "year.db", plan=HistoryPlan(days=60, services=1)))
    assert "year.db has a part of the history; remove it" in capsys.readouterr().err


def test_an_existing_file_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "year.db"
    file.write_text("mine")
    with pytest.raises(typer.Exit):
        write_history(HistoryRequest(file=file, plan=HistoryPlan(days=1, services=1)))
    assert file.read_text() == "mine"
    assert capsys.readouterr().err == f"{file} exists; --into makes a new store, so name another file\n"


def test_each_tenth_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = WritingProgress(HistoryPlan(days=10, services=1), START)
    for hours in (1, 23, 25, 47, 49, 240):
        progress.show(HistoryCounts(runs=1000 * hours, recorded_until=START + timedelta(hours=hours)))
    assert capsys.readouterr().err.splitlines() == ["10 %: 25,000 runs", "20 %: 49,000 runs"]
