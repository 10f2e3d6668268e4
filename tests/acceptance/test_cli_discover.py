"""``discover``: the services and trainings of an account, as watches to paste; hostile names too."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_support import KEYS, Simulated, Workplace, simulated
from tests.unit.reports.facts import EVIL, STEERING

HOSTILE = f'{EVIL}"\n[account.evil]\nbase_url = "https://evil.example" \\'


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """Yield a folder with its own simulator, since ``discover`` lists everything of the account."""
    with simulated() as simulator:
        yield _prepared(simulator, tmp_path)


def _prepared(simulator: Simulated, folder: Path) -> Workplace:
    place = Workplace(folder, "6wxgu1abcde", simulator)
    simulator.control("PUT", "/services/6wxgu1abcde", {"name": HOSTILE})
    place.set_training("v1", "learning")
    place.write()
    return place


@pytest.mark.smoke
def test_services_are_blocks_and_trainings_are_comments(place: Workplace) -> None:
    shown = place.command("discover", "--account", "main", env=KEYS)
    assert shown.returncode == 0, shown.stderr
    assert not STEERING.search(shown.stdout)
    document = tomllib.loads(shown.stdout)
    assert list(document) == ["watch"]
    (watch,) = document["watch"]
    assert (watch["account"], watch["service"]) == ("main", "6wxgu1abcde")
    assert watch["name"].startswith("red")
    assert '# version = "v1"' in shown.stdout


def test_the_printed_blocks_are_a_valid_configuration(place: Workplace) -> None:
    pasted = place.command("discover", env=KEYS).stdout
    place.write(pasted, watch=False)
    checked = place.command("check")
    assert checked.returncode == 0, checked.stderr


def test_json_keeps_names_unchanged(place: Workplace) -> None:
    (account,) = json.loads(place.command("discover", "--json", env=KEYS).stdout)["accounts"]
    (service,) = account["services"]
    assert (account["account"], account["failures"], service["name"]) == ("main", [], HOSTILE)
    assert service["trainings"] == [{"training_type": "pop", "version": "v1", "status": "learning"}]


def test_a_failed_call_has_its_cause_and_advice(place: Workplace) -> None:
    refused = place.command("discover", env={**KEYS, "NCP_SECRET_KEY": "another-secret"})
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "cannot list the services of account main: key: " in refused.stderr
    assert "secret_key" in refused.stderr


def test_an_unknown_account_is_wrong_usage(place: Workplace) -> None:
    refused = place.command("discover", "--account", "other", env=KEYS)
    assert refused.returncode == 2
    assert "there are: main" in refused.stderr


def test_a_configuration_with_only_an_account_is_enough(place: Workplace) -> None:
    account = place.config.read_text(encoding="utf-8").split("[[watch]]")[0].split("[receiver")[0]
    place.config.write_text(account, encoding="utf-8")
    shown = place.command("discover", env=KEYS)
    assert shown.returncode == 0, shown.stderr
    assert "[[watch]]" in shown.stdout
    refused = place.command("check")
    assert refused.returncode == 78
    assert "there is nothing to watch" in refused.stderr + refused.stdout
