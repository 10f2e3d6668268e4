"""Faults below HTTP or in the sending of an answer: hangs, slow bytes, resets, endless bodies."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from watcher.simulator.faults.exchange import Exchange
from watcher.simulator.responses import JSON, http_date

_MEGABYTE: Final = 1_000_000
_HUGE_BYTES: Final = 1_000 * _MEGABYTE
_BOMB_BYTES: Final = 200 * _MEGABYTE
_HEADER_BYTES: Final = 1 * _MEGABYTE
_SLOW_SECONDS: Final = 5.0
_DRIP_SECONDS: Final = 0.3
_CHUNK: Final = b" " * 65536
_GZIP: Final = 16 + zlib.MAX_WBITS
"""zlib's flag for the header and trailer of gzip."""


async def hang(exchange: Exchange) -> None:
    """Never answer."""
    await exchange.wait()


async def slow(exchange: Exchange) -> None:
    """Answer honestly, but late."""
    await exchange.wait(_SLOW_SECONDS if exchange.fault.seconds is None else exchange.fault.seconds)
    await exchange.reply_json(exchange.honest(0))


async def hang_mid_body(exchange: Exchange) -> None:
    """Send half of the answer, then nothing."""
    http_status, body = exchange.honest_bytes()
    exchange.write(exchange.raw_head(http_status, len(body)) + body[: len(body) // 2])
    await exchange.wait()


async def drip(exchange: Exchange) -> None:
    """Send the body one byte at a time."""
    http_status, body = exchange.honest_bytes()
    await exchange.start(http_status, {"content-length": str(len(body)), "content-type": JSON})
    for index in range(len(body)):
        await exchange.stream(body[index : index + 1])
        await exchange.wait(_drip_seconds(exchange))
    await exchange.end()


async def drip_headers(exchange: Exchange) -> None:
    """Send status line, headers and body one byte at a time."""
    http_status, body = exchange.honest_bytes()
    raw = exchange.raw_head(http_status, len(body)) + body
    for index in range(len(raw)):
        exchange.write(raw[index : index + 1])
        await exchange.wait(_drip_seconds(exchange))
    await exchange.close()


def _drip_seconds(exchange: Exchange) -> float:
    return _DRIP_SECONDS if exchange.fault.seconds is None else exchange.fault.seconds


async def reset(exchange: Exchange) -> None:
    """Reset the connection instead of answering."""
    await exchange.reset()


async def reset_mid_body(exchange: Exchange) -> None:
    """Reset the connection in the middle of the body."""
    http_status, body = exchange.honest_bytes()
    exchange.write(exchange.raw_head(http_status, len(body)) + body[: len(body) // 2])
    await exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """Close the connection normally instead of answering."""
    await exchange.close()


async def truncated(exchange: Exchange) -> None:
    """Send fewer bytes than Content-Length says, then close normally."""
    http_status, body = exchange.honest_bytes()
    exchange.write(exchange.raw_head(http_status, 2 * len(body)) + body)
    await exchange.close()


async def longer_than_said(exchange: Exchange) -> None:
    """Send more bytes than Content-Length says, so that the answer seems to end early."""
    http_status, body = exchange.honest_bytes()
    exchange.write(exchange.raw_head(http_status, len(body) // 2) + body)
    await exchange.close()


async def not_http(exchange: Exchange) -> None:
    """Answer in another protocol."""
    exchange.write(b"220 mail.example ESMTP ready\r\n")
    await exchange.close()


async def huge_headers(exchange: Exchange) -> None:
    """Send a header of a megabyte, or of ``size`` bytes."""
    filler = b"x" * (exchange.fault.size or _HEADER_BYTES)
    exchange.write(b"HTTP/1.1 200 OK\r\ndate: " + http_date(exchange.server_now).encode())
    exchange.write(b"\r\nx-filler: " + filler + b"\r\ncontent-length: 2\r\n\r\n{}")
    await exchange.close()


async def endless(exchange: Exchange) -> None:
    """Send a body that never ends."""
    await exchange.start(200, {"content-type": JSON})
    while True:
        await exchange.stream(_CHUNK)
        await asyncio.sleep(0)


async def huge(exchange: Exchange) -> None:
    """Send a body of a gigabyte, or of ``size`` bytes: blanks before the honest answer."""
    http_status, body = exchange.honest_bytes()
    size = max(exchange.fault.size or _HUGE_BYTES, len(body))
    await exchange.start(http_status, {"content-type": JSON, "content-length": str(size)})
    for left in range(size - len(body), 0, -len(_CHUNK)):
        await exchange.stream(_CHUNK[:left])
        await asyncio.sleep(0)
    await exchange.stream(body)
    await exchange.end()


async def gzip_bomb(exchange: Exchange) -> None:
    """Send a small gzip body that becomes 200 MB, or ``size`` bytes; the client did not ask for gzip."""
    packer = zlib.compressobj(level=9, wbits=_GZIP)
    await exchange.start(200, {"content-type": JSON, "content-encoding": "gzip"})
    for left in range(exchange.fault.size or _BOMB_BYTES, 0, -_MEGABYTE):
        packed = packer.compress(b" " * min(left, _MEGABYTE))
        if packed:
            await exchange.stream(packed)
        await asyncio.sleep(0)
    await exchange.stream(packer.flush())
    await exchange.end()
