"""The signature covers the bytes that are sent: a server receives them, and an independent signer repeats it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import string

import pytest

from tests.integration.aitems.conftest import ACCESS_KEY, SECRET_KEY, Script
from tests.integration.http.raw_server import RawServer
from watcher.aitems.client import AitemsClient
from watcher.core.polling.result import PollResult
from watcher.core.training.model import ServiceRef, TrainingRef

UNRESERVED = string.ascii_letters + string.digits + "-._~"
ODD_CHARACTERS = [*map(chr, range(0x20, 0x7F)), "한", "글", "é", "\u3000", "\U0001f600", "\x7f", "\x01"]


def fields_of(head: bytes) -> tuple[str, str, dict[str, str]]:
    lines = head.decode("ascii").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.split(": ", 1) for line in lines[1:] if line)
    return method, target, {name.lower(): value for name, value in pairs}


def signature_of(head: bytes) -> str:
    method, target, headers = fields_of(head)
    text = f"{method} {target}\n{headers['x-ncp-apigw-timestamp']}\n{headers['x-ncp-iam-access-key']}"
    return base64.b64encode(hmac.new(SECRET_KEY.encode(), text.encode(), hashlib.sha256).digest()).decode()


def encoded_once(text: str) -> str:
    return "".join(chr(byte) if chr(byte) in UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def training(service: str, train_type: str, version: str) -> dict[str, str]:
    return {"serviceId": service, "type": train_type, "version": version, "status": "learning"}


@pytest.mark.parametrize("character", ODD_CHARACTERS)
async def test_every_character_of_an_id_is_encoded_once_and_signed_as_sent(
    api: AitemsClient, server: RawServer, script: Script, character: str
) -> None:
    service, train_type, version = f"s{character}", f"{character}t", f"v{character}{character}w"
    script.add(training(service, train_type, version))

    result = await api.view(TrainingRef("main", service, train_type, version))

    assert isinstance(result, PollResult), result
    _, target, headers = fields_of(server.received[0])
    parts = [encoded_once(part) for part in (service, train_type, version)]
    assert target == "/api/v1/services/{}/trains/{}/versions/{}".format(*parts)
    assert headers["x-ncp-apigw-signature-v2"] == signature_of(server.received[0])


@pytest.mark.parametrize("text", ["%2F", "%", "a%20b", "a/../b", "?x=1", "#f", "//", ";a=b", "..."])
async def test_an_id_in_the_form_of_a_path_stays_one_segment(
    api: AitemsClient, server: RawServer, script: Script, text: str
) -> None:
    script.add({"trains": [], "offset": 0, "limit": 1000})
    await api.list(ServiceRef("main", text))
    _, target, headers = fields_of(server.received[0])
    assert target == f"/api/v1/services/{encoded_once(text)}/trains"
    assert headers["x-ncp-apigw-signature-v2"] == signature_of(server.received[0])


async def test_the_query_of_a_further_page_is_signed_too(api: AitemsClient, server: RawServer, script: Script) -> None:
    script.add({"trains": [training("s", "pop", "a")], "offset": 0, "limit": 1})
    script.add({"trains": [], "offset": 1, "limit": 1})
    assert isinstance(await api.list(ServiceRef("main", "s")), PollResult)
    _, target, headers = fields_of(server.received[1])
    assert target == "/api/v1/services/s/trains?offset=1&limit=1"
    assert headers["x-ncp-apigw-signature-v2"] == signature_of(server.received[1])


async def test_the_headers_are_those_of_the_documents(api: AitemsClient, server: RawServer, script: Script) -> None:
    script.add({"services": [], "offset": 0, "limit": 1000})
    await api.services()
    method, target, headers = fields_of(server.received[0])
    assert (method, target) == ("GET", "/api/v1/services")
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["x-ncp-iam-access-key"] == ACCESS_KEY
    assert len(headers["x-ncp-apigw-timestamp"]) == 13
    assert SECRET_KEY.encode() not in server.received[0]


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_an_id_that_would_name_another_path_is_never_requested(
    api: AitemsClient, server: RawServer, segment: str
) -> None:
    with pytest.raises(ValueError, match="empty or a dot"):
        await api.list(ServiceRef("main", segment))
    assert server.received == []
