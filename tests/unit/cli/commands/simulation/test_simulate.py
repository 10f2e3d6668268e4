"""The text that the simulator prints when it listens."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from tests.unit.reports.facts import plain_screen
from watcher.cli.commands.simulation.simulate import _seconds, show_running
from watcher.config import load
from watcher.core.secret import Secret
from watcher.simulator import Running, SimulatedService, Simulator, SimulatorSettings, World


def shown(*services: str) -> str:
    screen, stream = plain_screen()
    world = World(tuple(SimulatedService(id=name, name=name) for name in services))
    settings = SimulatorSettings(access_key="AK", secret_key=Secret("SK"))
    show_running(Running(Simulator(world), "127.0.0.1", 4321), settings, screen)
    return stream.getvalue()


def configuration(text: str) -> str:
    found = re.search(r"config\.toml:\n\n(.*?)\n\nand these", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_it_prints_its_address_its_keys_and_its_control_endpoint() -> None:
    lines = shown("6wxgu1abcde").splitlines()
    assert "base URL    http://127.0.0.1:4321/api/v1" in lines
    assert "access key  AK" in lines
    assert "secret key  SK" in lines
    assert "control     http://127.0.0.1:4321/_control" in lines


@pytest.mark.parametrize("service", ["6wxgu1abcde", 'a "quoted" one', "서비스"])
def test_the_printed_configuration_is_valid(service: str) -> None:
    config = load(Path("/nowhere/config.toml"), text=configuration(shown(service)))
    assert [watch.service for watch in config.watches] == [service]


def test_without_services_the_configuration_names_an_invented_one() -> None:
    assert tomllib.loads(configuration(shown()))["watch"][0]["service"] == "6wxgu1abcde"


def test_the_example_quotes_the_service_for_a_url() -> None:
    assert "/_control/services/a%2Fb%20c/trains/pop/versions/mine" in shown("a/b c")


def test_a_clock_offset_may_be_negative_and_a_pace_may_not() -> None:
    assert _seconds("-10m", "--clock-offset") == -600
    assert _seconds("500ms", "--pace") == 0.5
    for text in ("-1s", "0s", "soon"):
        with pytest.raises(typer.BadParameter):
            _seconds(text, "--pace")
