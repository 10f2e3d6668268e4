"""The kinds of receivers: their names, paces, seals and required settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.receivers.samples import sample_event
from watcher import installed
from watcher.clock import Clock
from watcher.core.delivery.model import Dedup
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.installed import UpgradedError
from watcher.receivers import KINDS, InvalidReceiverError, Receiver, Spec

URL = Secret("https://hooks.example.com/services/T0/B0/x")


def made(kind: str, **changes: object) -> Receiver:
    usual: dict[str, object] = {"name": "r", "http": HttpClient(HttpSettings(), Clock()), "clock": Clock(), "url": URL}
    if kind == "slack":
        usual |= {"secret": lambda: Secret("xoxb-1"), "channel": "C0123456789", "api_url": "https://api.example.com/"}
    return KINDS[kind](Spec(**(usual | changes)))  # type: ignore[arg-type]  # the tests give right and wrong values


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_is_called_by_its_key(kind: str) -> None:
    receiver = made(kind, name="mine")
    assert (receiver.kind, receiver.name) == (kind, "mine")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_pace_key_never_shows_the_address(kind: str) -> None:
    assert "example" not in made(kind).pace_key
    assert "services" not in made(kind).pace_key


@pytest.mark.parametrize(
    ("kind", "pace"), [("slack-webhook", 1.0), ("slack", 1.0), ("webhook", 0.0), ("log", 0.0), ("console", 0.0)]
)
def test_only_slack_has_a_pace(kind: str, pace: float) -> None:
    assert made(kind).pace_seconds == pace


@pytest.mark.parametrize(
    ("kind", "dedup"),
    [
        ("slack-webhook", Dedup.UNKNOWN),
        ("slack", Dedup.BY_LOOKUP),
        ("webhook", Dedup.BY_ID),
        ("log", Dedup.BY_ID),
        ("console", Dedup.UNKNOWN),
    ],
)
def test_each_kind_has_its_way_to_recognise_repeats(kind: str, dedup: Dedup) -> None:
    assert made(kind).dedup is dedup


@pytest.mark.parametrize(
    ("kind", "seals"),
    [("slack-webhook", False), ("slack", False), ("webhook", True), ("log", True), ("console", False)],
)
def test_only_the_kinds_with_a_published_body_seal_it(kind: str, *, seals: bool) -> None:
    assert (made(kind).seal(sample_event(), 1) is not None) is seals
    assert (made(kind).seal_group([(sample_event(), 1), (sample_event(), 2)], []) is not None) is seals


def test_two_receivers_of_one_slack_address_share_a_pace() -> None:
    assert made("slack-webhook", name="a").pace_key == made("slack-webhook", name="b").pace_key
    assert (
        made("slack-webhook").pace_key
        != made("slack-webhook", url=Secret("https://hooks.example.com/services/y")).pace_key
    )


@pytest.mark.parametrize("kind", ["webhook", "slack-webhook"])
def test_a_kind_that_posts_needs_an_address(kind: str) -> None:
    with pytest.raises(InvalidReceiverError, match="receiver 'r': url: "):
        made(kind, url=None)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("token", {"secret": None}),
        ("token", {"secret": lambda: Secret("xoxb-1 2")}),
        ("token", {"secret": lambda: Secret("xoxb-가")}),
        ("channel", {"channel": ""}),
        ("api_url", {"api_url": "slack.com"}),
    ],
)
def test_a_bot_needs_a_token_a_channel_and_an_address(key: str, change: dict[str, object]) -> None:
    with pytest.raises(InvalidReceiverError, match=f"receiver 'r': {key}: ") as caught:
        made("slack", **change)
    assert "xoxb-1 2" not in str(caught.value)


def test_a_spec_shows_no_secret_in_its_repr() -> None:
    spec = Spec(
        name="r", http=HttpClient(HttpSettings(), Clock()), clock=Clock(), url=URL, headers={"X": Secret("s3cr3t")}
    )
    assert "s3cr3t" not in repr(spec)
    assert "T0/B0" not in repr(spec)


def test_importing_the_kinds_loads_no_library() -> None:
    script = (
        "import sys, watcher.receivers;"
        "print([name for name in ('slack_sdk', 'standardwebhooks', 'rich') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own interpreter and text
    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    ("kind", "key"), [("slack", "secret"), ("webhook", "secret"), ("webhook", "url"), ("slack-webhook", "url")]
)
@pytest.mark.parametrize(
    ("around", "mistake"),
    [("'{}'", "it is in quotes"), ('"{}"', "it is in quotes"), ("NAME={}", "it looks like NAME=VALUE")],
)
def test_a_secret_with_a_likely_mistake_is_rejected_with_the_mistake(
    kind: str, key: str, around: str, mistake: str
) -> None:
    text = "https://hooks.example.com/x" if key == "url" else "whsec_" + "A" * 40
    wrong = Secret(around.format(text))
    with pytest.raises(InvalidReceiverError, match=mistake) as caught:
        made(kind, **{key: lambda: wrong})
    assert text not in str(caught.value)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_after_an_upgrade_only_a_kind_that_is_loaded_is_made(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(made(kind)).__module__
    monkeypatch.setattr(installed, "_signature", lambda: None)
    assert made(kind).kind == kind
    monkeypatch.delitem(sys.modules, module)
    with pytest.raises(UpgradedError, match="restart it"):
        made(kind)
