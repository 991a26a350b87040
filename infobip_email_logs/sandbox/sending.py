"""An answer onto the wire, and everything that can go wrong with it there."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any

import attrs
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answers import Answer
    from .faults import Fault

_FASTEST = 1
_PAUSE = 0.01
_AT_ONCE = struct.pack("ii", 1, 0)
_PIECE = 1 << 20
_SPACE = b" " * _PIECE
_GZIP_HEAD = bytes.fromhex("1f8b0800000000000003")


async def send(request: web.BaseRequest, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Send an answer, or the part of it that the fault lets through."""
    if fault.disconnect == "before_headers":
        return _reset(request)
    if fault.spoilt:
        answer = _spoilt(answer, fault)
    if fault.padding:
        return await _send_padded(request, answer, fault)
    if fault.gzip:
        answer = _gzipped(answer, fault)
    if fault.endless:
        again = itertools.repeat(answer.body or b" ")
        return await _send_pieces(request, answer, again, pause=_PAUSE)
    if fault.drips:
        return await _send_pieces(request, answer, map(_byte, answer.body), pause=fault.drips)
    if fault.stalls or fault.disconnect:
        return await _send_half(request, answer, fault)
    return web.Response(body=answer.body, status=answer.status, headers=_headers(answer))


def _spoilt(answer: Answer, fault: Fault) -> Answer:
    """Return the answer with something wrong in its first record, if it is a page that has one."""
    page: dict[str, Any] = (
        json.loads(answer.body) if answer.content_type.startswith("application/json") else {}
    )
    if not page.get("results"):
        return answer
    if fault.spoilt == "record":
        page["results"][0] = "text"
    else:
        page["results"][0]["sentAt"] = "soon"
    return attrs.evolve(answer, body=json.dumps(page).encode())


def compressed(answer: Answer) -> Answer:
    """Return the answer with its body compressed."""
    return attrs.evolve(
        answer,
        body=gzip.compress(answer.body, _FASTEST, mtime=0),
        headers={**answer.headers, "Content-Encoding": "gzip"},
    )


def _headers(answer: Answer) -> dict[str, str]:
    return {"Content-Type": answer.content_type, **answer.headers}


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    """Abort the connection; the response returned goes nowhere."""
    _abort(request.transport)
    return web.Response()


def _abort(transport: asyncio.Transport | None) -> None:
    """Reset a connection: what it still had to send is dropped, and the other side is told."""
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()


async def _send_half(request: web.BaseRequest, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Promise the whole body, send half of it, then close the connection or fall silent."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = max(len(answer.body), 1)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if fault.stalls:
        await asyncio.get_running_loop().create_future()
    if fault.disconnect == "reset_in_body":
        _abort(request.transport)
    elif request.transport is not None:
        request.transport.close()
    return response


async def _send_pieces(
    request: web.BaseRequest, answer: Answer, pieces: Iterator[bytes], *, pause: float = 0.0
) -> web.StreamResponse:
    """Send a body piece by piece, as long as anybody takes it."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(pause)
    return response


def _byte(number: int) -> bytes:
    return bytes((number,))


def _gzipped(answer: Answer, fault: Fault) -> Answer:
    """Return the answer compressed, and wrong where the fault says so."""
    answer = compressed(answer)
    body, middle = answer.body, len(answer.body) // 2
    if fault.gzip == "cut":
        body = body[:middle]
    elif fault.gzip == "garbled":
        body = body[:middle] + bytes(255 - number for number in body[middle:])
    return attrs.evolve(answer, body=body)


async def _send_padded(
    request: web.BaseRequest, answer: Answer, fault: Fault
) -> web.StreamResponse:
    """Send white space and the body, compressed where the fault says so."""
    sizes = [*itertools.repeat(_PIECE, fault.padding // _PIECE), fault.padding % _PIECE]
    if not fault.gzip:
        pieces = itertools.chain((_SPACE[:size] for size in sizes), [answer.body])
        return await _send_pieces(request, answer, pieces)
    answer = attrs.evolve(answer, headers={**answer.headers, "Content-Encoding": "gzip"})
    return await _send_pieces(request, answer, _squeezed(answer.body, sizes))


def _squeezed(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Compress white space and a body; equal pieces are compressed once, so that it is quick."""
    yield _GZIP_HEAD
    known, checksum = {size: _deflated(_SPACE[:size], zlib.Z_FULL_FLUSH) for size in set(sizes)}, 0
    for size in sizes:
        checksum = zlib.crc32(_SPACE[:size], checksum)
        yield known[size]
    tail = zlib.crc32(body, checksum), (sum(sizes) + len(body)) & 0xFFFFFFFF
    yield _deflated(body, zlib.Z_FINISH) + b"".join(one.to_bytes(4, "little") for one in tail)


def _deflated(content: bytes, flush: int) -> bytes:
    squeeze = zlib.compressobj(zlib.Z_BEST_COMPRESSION, wbits=-zlib.MAX_WBITS)
    return squeeze.compress(content) + squeeze.flush(flush)
