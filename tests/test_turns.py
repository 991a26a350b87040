"""A good guest on the event loop: however much arrives at once, a turn of the loop is short."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from infobip_email_logs import ApiKey, EmailLogsClient, LogsQuery
from infobip_email_logs.sandbox import Sandbox, Settings, Traffic
from infobip_email_logs.wire.pages import SLICE
from infobip_email_logs.wire.quick_records import QuickDecoder

PAGES = 8
UNLIMITED = Settings(v1_limits=())


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the records that are decoded."""
    count = [0]

    def profile(frame: FrameType, event: str, _: object) -> None:
        count[0] += event == "call" and frame.f_code is QuickDecoder.__call__.__code__

    sys.setprofile(profile)
    try:
        yield count
    finally:
        sys.setprofile(None)


async def heartbeat(count: list[int], turns: list[int]) -> None:
    """Note how many records were decoded, each turn of the loop."""
    before = 0
    while True:
        await asyncio.sleep(0)
        turns.append(count[0] - before)
        before = count[0]


async def test_a_turn_decodes_one_slice_of_one_page() -> None:
    """Pages that come at once are decoded one after the other, a slice a turn."""
    turns: list[int] = []
    async with (
        Sandbox(settings=UNLIMITED, traffic=Traffic(bulks=0, loose=1200), seed=1) as sandbox,
        EmailLogsClient(
            sandbox.url, ApiKey(sandbox.credentials.api_key), limit="1000/60s"
        ) as client,
    ):
        with counted() as count:
            beat = asyncio.create_task(heartbeat(count, turns))
            pages = await asyncio.gather(
                *(client.get_page(LogsQuery(limit=1000)) for _ in range(PAGES))
            )
            await asyncio.sleep(0)
            beat.cancel()
    assert [len(page.logs) for page in pages] == [1000] * PAGES
    assert sum(turns) == 1000 * PAGES
    assert max(turns) == SLICE
