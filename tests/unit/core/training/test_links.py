"""Links of a watch."""

from __future__ import annotations

import pytest

from watcher.core.polling.plan import WatchAttributes
from watcher.core.training.links import placeholders_in
from watcher.core.training.model import ServiceRef, TrainingRef

SERVICE = ServiceRef("main", "6wx/abc")
TRAINING = TrainingRef("main", "6wx/abc", "pop", "v 1<2>|é")


@pytest.mark.parametrize(
    ("template", "training", "service"),
    [
        ("https://x.example/{service}/{type}/{version}", "https://x.example/6wx%2Fabc/pop/v%201%3C2%3E%7C%C3%A9", None),
        (
            "https://x.example/{account}/{name}",
            "https://x.example/main/shop%20%26%20co",
            "https://x.example/main/shop%20%26%20co",
        ),
        ("https://x.example/all", "https://x.example/all", "https://x.example/all"),
        ("https://x.example/{{x}}", "https://x.example/{x}", "https://x.example/{x}"),
    ],
)
def test_a_link_is_filled_in_and_left_out_where_a_value_is_missing(
    template: str, training: str, service: str | None
) -> None:
    attributes = WatchAttributes(name="shop & co", links={"console": template})
    assert attributes.links_of(SERVICE, TRAINING) == {"console": training}
    assert attributes.links_of(SERVICE) == ({} if service is None else {"console": service})


def test_without_a_name_the_id_of_the_service_stands_for_it() -> None:
    assert WatchAttributes(links={"runbook": "https://x.example/{name}"}).links_of(SERVICE) == {
        "runbook": "https://x.example/6wx%2Fabc"
    }


@pytest.mark.parametrize(
    "template", ["{service:d}", "{version!x}", "{name:>9}", "{account!r}", "{service:{type}}", "{x"]
)
def test_a_name_with_a_format_is_no_placeholder(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        placeholders_in(template)
