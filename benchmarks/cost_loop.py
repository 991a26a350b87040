"""How long pages hold the event loop: a heartbeat runs while they are decoded and consumed.

A beat is late by what ran in its turn of the loop, in the processor's time of the thread: what
other processes do is no part of it. Garbage that Python collects in that turn is; what was there
before (modules, classes) is frozen first, so that no collection goes through it.
"""

import asyncio
import gc
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web
from cost_pages import RECORDS, of_version_4, page
from measuring import AMPLE, Result, Row, beside_peers

from infobip_email_logs import ApiKey, EmailLogsClient, LogsQuery

PAGES = 8
ROUNDS = 15
LIMIT = 1.5
HOUR = 3600.0
WORDS = 56
"""How long the texts are, for a page of two megabytes."""

Consume = Callable[[EmailLogsClient], Awaitable[int]]


def rows() -> Iterator[Row]:
    """Yield a row for pages that come at once, and one for a stream of them."""
    yield beside_peers("loop-pages", partial(_measured, "loop-pages", 1, _pages))
    yield beside_peers("loop-stream", partial(_measured, "loop-stream", 4, _stream))


async def _pages(client: EmailLogsClient) -> int:
    """Ask for all pages at once, and go through their logs."""

    async def one() -> int:
        found = await client.get_page(LogsQuery(limit=RECORDS))
        return sum(1 for _ in found.logs)

    return sum(await asyncio.gather(*(one() for _ in range(PAGES))))


async def _stream(client: EmailLogsClient) -> int:
    """Go through a stream of all pages."""
    records = 0
    query = LogsQuery(sent_since=datetime.now(UTC) - timedelta(seconds=2.1 * HOUR))
    async with client.logs(query) as pull:
        async for _ in pull:
            records += 1
    return records


def _measured(name: str, version: Any, consume: Consume) -> list[Result]:
    parse = partial(import_module("orjson").loads, page(words=WORDS))
    with _canned() as url:
        blocks, parsings, records = asyncio.run(_beaten(url, version, consume, parse))
    block, parsing = statistics.median(blocks), statistics.median(parsings)
    wrong = "" if records == {PAGES * RECORDS} else f"{records} came"
    note = f"{block * 1e3:.1f} ms, a page parsed in {parsing * 1e3:.1f} ms"
    return [Result(f"{name}: block / orjson.loads", block / parsing, LIMIT, wrong, note)]


async def _beaten(
    url: str, version: Any, consume: Consume, parse: Callable[[], object]
) -> tuple[list[float], list[float], set[int]]:
    """Return the longest block and a parsing of each round, and the numbers of records."""
    blocks: list[float] = []
    parsings: list[float] = []
    options: dict[str, Any] = {"api_version": version, "limit": AMPLE}
    async with EmailLogsClient(url, ApiKey("key"), **options) as client:
        records = {await consume(client)}
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            begin = time.thread_time()
            parse()
            parsings.append(time.thread_time() - begin)
            beats: list[float] = []
            heart = asyncio.create_task(_heartbeat(beats))
            records.add(await consume(client))
            heart.cancel()
            blocks.append(max(beats))
    gc.unfreeze()
    return blocks, parsings, records


async def _heartbeat(beats: list[float]) -> None:
    """Note how late each beat is."""
    before = time.thread_time()
    while True:
        await asyncio.sleep(0)
        now = time.thread_time()
        beats.append(now - before)
        before = now


@contextmanager
def _canned() -> Iterator[str]:
    """Run a service with nothing but eight pages, in a process of its own; yield its address."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10)


def _serve(pipe: Connection) -> None:
    asyncio.run(_serving(pipe))


async def _serving(pipe: Connection) -> None:
    flat = page(words=WORDS)
    chain = [_chained(number) for number in range(PAGES)]

    async def version_1(_request: web.Request) -> web.Response:
        return web.Response(body=flat, content_type="application/json")

    async def version_4(request: web.Request) -> web.Response:
        body = chain[int(request.query.get("cursor", "0"))]
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/email/1/logs", version_1)
    app.router.add_get("/email/4/logs", version_4)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pipe.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


def _chained(number: int) -> bytes:
    """Return a page of version 4 that names the next one, but for the last.

    The first one is of an hour, so that a client does not take the rest for so much that it is
    better asked for in parts: this service does not know windows.
    """
    cursor: dict[str, Any] = {"limit": RECORDS}
    if number + 1 < PAGES:
        cursor["nextCursor"] = str(number + 1)
    first, every = HOUR * (1 + number / PAGES), HOUR / PAGES / RECORDS
    if not number:
        first, every = 0, HOUR / RECORDS
    return page(of_version_4, words=WORDS, first=first, every=every, cursor=cursor)
