"""A whole pull over loopback: the client's processor time beside a loop that only parses."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from importlib import import_module

import aiohttp
from measuring import Result, Row, beside_peers, client, unlimited
from service_process import Service, service

from infobip_email_logs.sandbox import Traffic

RECORDS = 200_000
ROUNDS = 3
LIMIT = 3.0


def rows() -> Iterator[Row]:
    """Yield the one case."""
    yield beside_peers("pull", _measured)


def _measured() -> list[Result]:
    """The bare loop asks what the client asked, one request after the other."""
    import_module("orjson")
    traffic = Traffic(bulks=0, loose=RECORDS)
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        came, _ = asyncio.run(_pulled(there))
        asked = there.asked()
        ours = [asyncio.run(_pulled(there)) for _ in range(ROUNDS)]
        bare = [asyncio.run(_parsed(there, asked)) for _ in range(ROUNDS)]
    wrong = "" if came == RECORDS == min(ours)[0] else f"{came} came, not {RECORDS}"
    few, many = (min(seconds for _, seconds in runs) for runs in (bare, ours))
    note = (
        f"{many / RECORDS * 1e6:.1f} and {few / bare[0][0] * 1e6:.1f} µs a record, "
        f"{len(asked)} requests"
    )
    return [Result("pull: time / aiohttp and orjson.loads", many / few, LIMIT, wrong, note)]


async def _pulled(there: Service) -> tuple[int, float]:
    """Return the records that the client delivers, and the processor's seconds."""
    begin, records = time.process_time(), 0
    async with client(there) as asking, asking.logs() as pull:
        async for _ in pull:
            records += 1
    return records, time.process_time() - begin


async def _parsed(there: Service, asked: Sequence[str]) -> tuple[int, float]:
    """Return the records of these requests, parsed only, and the processor's seconds."""
    loads = import_module("orjson").loads
    begin, records = time.process_time(), 0
    headers = {"Authorization": f"App {there.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for one in asked:
            async with session.get(there.url + one) as reply:
                body = await reply.read()
            for _ in loads(body)["results"]:
                records += 1
    return records, time.process_time() - begin
