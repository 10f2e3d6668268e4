"""The lines on the control socket."""

from __future__ import annotations

import json

import pytest

from watcher.control.protocol import (
    MAX_REQUEST_BYTES,
    ControlError,
    Request,
    SetupRefusedError,
    read_answer,
    read_request,
    refusal_line,
    request_line,
)

WATCH = '[[watch]]\naccount = "main"\nservice = "6wxgu1{index:06}"\nname = "{name}"\n\n'


def configuration(watches: int, name: str) -> str:
    return "".join(WATCH.format(index=index, name=name) for index in range(watches))


@pytest.mark.parametrize(
    ("watches", "name"),
    [(15_000, "plain"), (10_000, "상품 이미지 분류"), (100_000, "image classifier"), (100_000, "상품 이미지 분류")],
)
def test_the_text_of_a_large_configuration_fits_into_a_request(watches: int, name: str) -> None:
    request = Request(command="discover", arguments={"text": configuration(watches, name)})
    assert read_request(request_line(request)) == request


def test_a_request_beyond_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ControlError, match="too long for the control socket"):
        request_line(Request(command="discover", arguments={"text": "x" * MAX_REQUEST_BYTES}))


@pytest.mark.parametrize("kind", [ControlError, SetupRefusedError])
def test_a_refusal_keeps_its_kind(kind: type[ControlError]) -> None:
    with pytest.raises(ControlError, match=r"^credential hook is missing$") as refused:
        read_answer(refusal_line(kind("credential hook is missing")))
    assert type(refused.value) is kind


@pytest.mark.parametrize("kind", [b"", b', "kind": "of a later version"', b', "kind": 3', b', "kind": null'])
def test_a_refusal_of_an_older_or_later_daemon_has_no_kind(kind: bytes) -> None:
    with pytest.raises(ControlError, match=r"^no$") as refused:
        read_answer(b'{"error": "no"' + kind + b"}\n")
    assert type(refused.value) is ControlError


def test_an_older_command_finds_the_text_at_its_place() -> None:
    assert json.loads(refusal_line(SetupRefusedError("no")))["error"] == "no"
    assert json.loads(refusal_line(ControlError("no"))) == {"error": "no"}
