"""The reason of a routing decision as code and as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watcher.core.routing.reason import (
    NO_ROUTE,
    NotAnnounced,
    RoutingCode,
    RoutingReason,
    read_reason,
    reason_text,
    routed,
    write_reason,
)

DROPPED = replace(routed(2), code=RoutingCode.DROPPED)
STAND_IN = replace(routed(1), stand_in="hook", stands_in_for="ml-ops")
TEXTS = {
    "route 1": routed(1),
    "route 1, route 3": routed(1, 3),
    "no route matches": NO_ROUTE,
    "route 2: dropped on purpose": DROPPED,
    "route 1; hook stands in for ml-ops": STAND_IN,
    "no route matches; not announced: no-other-receiver": replace(NO_ROUTE, not_announced=NotAnnounced.NO_OTHER),
    "route 1; sent-from-memory": RoutingReason(code=RoutingCode.SENT_FROM_MEMORY, routes=(1,)),
    "sent-from-memory": RoutingReason(code=RoutingCode.SENT_FROM_MEMORY),
}
OLD_TEXTS = {
    "route 1, route 3": routed(1, 3),
    "no route names this kind": NO_ROUTE,
    "route 2: dropped on purpose": DROPPED,
    "route 1; hook stands in for ml-ops": STAND_IN,
    "route 1; nobody: no-other-receiver": replace(routed(1), not_announced=NotAnnounced.NO_OTHER),
    "no route names this kind; nobody: every-other-receiver-broken": replace(
        NO_ROUTE, not_announced=NotAnnounced.ALL_FAILING
    ),
    "route 1; told-from-memory": RoutingReason(code=RoutingCode.SENT_FROM_MEMORY, routes=(1,)),
    "sent-from-memory": RoutingReason(code=RoutingCode.SENT_FROM_MEMORY),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_reason_is_written_for_people(text: str) -> None:
    assert reason_text(TEXTS[text]) == text


@pytest.mark.parametrize("text", TEXTS)
def test_a_reason_reads_back_as_it_was_stored(text: str) -> None:
    assert read_reason(write_reason(TEXTS[text])) == TEXTS[text]


@pytest.mark.parametrize("text", OLD_TEXTS)
def test_the_text_of_an_older_store_is_read(text: str) -> None:
    assert read_reason(text) == OLD_TEXTS[text]


def test_the_store_holds_codes_and_no_sentence() -> None:
    assert write_reason(STAND_IN) == '{"code":"routed","routes":[1],"stand_in":"hook","stands_in_for":"ml-ops"}'
