"""How long a page holds the event loop: pages of 1000 records, decoded while a heartbeat runs.

    python benchmarks/decoding.py

Reach: no beat comes later than 1.5 x one ``json.loads`` of such a page, measured in the same run.
"""

import asyncio
import json
import random
import statistics
import time
from decimal import Decimal

from infobip_email_logs.matching import sift
from infobip_email_logs.models import LogsPage
from infobip_email_logs.query import LogsQuery
from infobip_email_logs.wire import V1, Reply
from infobip_email_logs.wire import read as read_slices

PAGES = 40
RECORDS = 1000
STATUSES = ["DELIVERED", "PENDING", "REJECTED"]


def record(chance: random.Random) -> dict[str, object]:
    """Return a record as version 1 sends it, of about a kilobyte."""
    group = chance.randrange(3)
    return {
        "applicationId": "application",
        "entityId": "entity",
        "bulkId": f"{chance.getrandbits(80):020x}",
        "messageId": f"{chance.getrandbits(128):032x}",
        "to": f"{chance.getrandbits(32)}@example.com",
        "from": "sender@example.com",
        "text": "Your order is on its way. " * 16,
        "sentAt": f"2026-01-02T01:{chance.randrange(60):02}:00.{chance.randrange(1000):03}+0000",
        "doneAt": f"2026-01-02T02:{chance.randrange(60):02}:00.{chance.randrange(1000):03}+0000",
        "messageCount": 1,
        "price": {"pricePerMessage": 0.0005, "currency": "EUR"},
        "status": {
            "groupId": group,
            "groupName": STATUSES[group],
            "id": 5,
            "name": f"{STATUSES[group]}_SOMEHOW",
            "description": "What became of the message, in words",
        },
        "error": {
            "groupId": 0,
            "groupName": "OK",
            "id": 0,
            "name": "NO_ERROR",
            "description": "No Error",
            "permanent": False,
        },
    }


async def decode(body: bytes) -> LogsPage:
    """Decode a page as the client does."""
    query = LogsQuery(limit=RECORDS)
    slices = read_slices(Reply(200, {}, body), dialect=V1, query=query, page=1, keep_bad=False)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return sift(end.value, query)
        await asyncio.sleep(0)


async def heartbeat(gaps: list[float]) -> None:
    """Note how long the loop was away, each turn."""
    before = time.perf_counter()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter()
        gaps.append(now - before)
        before = now


async def measure(body: bytes) -> list[float]:
    """Return the longest gap of each of many pages."""
    longest: list[float] = []
    for _ in range(PAGES):
        gaps: list[float] = []
        beat = asyncio.create_task(heartbeat(gaps))
        await asyncio.sleep(0)
        page = await decode(body)
        assert len(page.logs) == RECORDS
        beat.cancel()
        longest.append(max(gaps))
    return longest


def parse(body: bytes) -> float:
    """Return the seconds of one parsing."""
    start = time.perf_counter()
    json.loads(body, parse_float=Decimal)
    return time.perf_counter() - start


def main() -> None:
    """Print the figures, and fail where they are not reached."""
    chance = random.Random(1)
    body = json.dumps({"results": [record(chance) for _ in range(RECORDS)]}).encode()
    parsing = statistics.median(parse(body) for _ in range(PAGES))
    start = time.perf_counter()
    longest = statistics.median(asyncio.run(measure(body)))
    whole = (time.perf_counter() - start) / PAGES
    print(f"page of {len(body) / 1e6:.2f} MB: json.loads {parsing * 1e3:.2f} ms")
    print(f"decoded and checked in {whole / parsing:.1f} x that")
    print(f"longest block {longest / parsing:.2f} x json.loads (median of {PAGES} pages)")
    assert longest <= 1.5 * parsing


if __name__ == "__main__":
    main()
