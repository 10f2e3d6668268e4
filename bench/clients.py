"""The yardsticks of P3: the same signed view, many times, by raw aiohttp, httpx2, httpx and a naive script.

``python -m bench.clients NAME URL SECONDS`` runs one of them and prints its requests and CPU seconds as JSON. A client
that is not installed ends with status 3.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvloop

IN_FLIGHT: Final = 32
NOT_INSTALLED: Final = 3
OK: Final = 200
SECRET: Final = b"bench-secret"


def headers(path: str) -> dict[str, str]:
    """Sign a GET as NAVER Cloud's API gateway asks for (signature v2)."""
    stamp = str(int(time.time() * 1000))
    message = f"GET {path}\n{stamp}\nbench-access".encode()
    signature = base64.b64encode(hmac.new(SECRET, message, hashlib.sha256).digest()).decode()
    return {
        "x-ncp-apigw-timestamp": stamp,
        "x-ncp-iam-access-key": "bench-access",
        "x-ncp-apigw-signature-v2": signature,
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


async def _aiohttp(url: str, path: str, seconds: float) -> int:
    aiohttp: Any = importlib.import_module("aiohttp")
    async with aiohttp.ClientSession() as session:

        async def call() -> None:
            async with session.get(url + path, headers=headers(path)) as answer:
                json.loads(await answer.read())

        return await _repeat(call, seconds)


async def _httpx(url: str, path: str, seconds: float, *, name: str = "httpx") -> int:
    httpx: Any = importlib.import_module(name)
    async with httpx.AsyncClient() as client:

        async def call() -> None:
            json.loads((await client.get(url + path, headers=headers(path))).content)

        return await _repeat(call, seconds)


async def _httpx2(url: str, path: str, seconds: float) -> int:
    return await _httpx(url, path, seconds, name="httpx2")


async def _repeat(call: Callable[[], Awaitable[None]], seconds: float) -> int:
    end, done = time.monotonic() + seconds, 0

    async def worker() -> None:
        nonlocal done
        while time.monotonic() < end:
            await call()
            done += 1

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return done


CLIENTS: Final = {"aiohttp": _aiohttp, "httpx": _httpx, "httpx2": _httpx2}


def main() -> None:
    """Run one client."""
    name, url, path, seconds = sys.argv[1:]
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        sys.exit(NOT_INSTALLED)
    before = time.process_time()
    requests = uvloop.run(CLIENTS[name](url, path, float(seconds)))
    print(json.dumps({"requests": requests, "cpu_seconds": time.process_time() - before}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
