"""An answer onto the wire, and everything that can go wrong with it there."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import attrs
from aiohttp import web

if TYPE_CHECKING:
    from .answers import Answer
    from .faults import Fault

_FASTEST = 1
_PAUSE = 0.01


async def send(request: web.BaseRequest, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Send an answer, or the part of it that the fault lets through."""
    if fault.disconnect == "before_headers":
        return _reset(request)
    if fault.endless:
        return await _send_endlessly(request, answer)
    if fault.stalls or fault.disconnect == "in_body":
        return await _send_half(request, answer, stalls=fault.stalls)
    return web.Response(body=answer.body, status=answer.status, headers=_headers(answer))


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
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _send_half(
    request: web.BaseRequest, answer: Answer, *, stalls: bool
) -> web.StreamResponse:
    """Promise the whole body, send half of it, then close the connection or fall silent."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = max(len(answer.body), 1)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if stalls:
        await asyncio.get_running_loop().create_future()
    if request.transport is not None:
        request.transport.close()
    return response


async def _send_endlessly(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send the body again and again, until the client has enough."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    await response.prepare(request)
    while request.transport is not None and not request.transport.is_closing():
        await response.write(answer.body or b" ")
        await asyncio.sleep(_PAUSE)
    return response
