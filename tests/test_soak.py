"""An hour at the limit on a bad line; ``soak.py`` does the same for ten real minutes."""

import asyncio
import gc
import logging
from collections.abc import Iterator

import pytest
from soaking import Truth, Work, faults, growth
from turning import others

from infobip_email_logs import ApiKey, EmailLogsClient, RetryPolicy, Timeouts
from infobip_email_logs.sandbox import Sandbox, Settings, TimeWindow, Traffic

MINUTES = 60
A_MINUTE = 12
TRAFFIC = Traffic(bulks=10, bulk_size=(5, 20), loose=50, hours=20)


@pytest.fixture
def _silent() -> Iterator[None]:
    """Let nothing be logged: pytest keeps what is."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_silent")
async def test_an_hour_at_the_limit_loses_nothing_and_holds_nothing() -> None:
    """Each log is delivered, no request is left over, and nothing grows."""
    asyncio.get_running_loop().set_debug(False)
    limits = (TimeWindow(A_MINUTE, 60.0),)
    settings = Settings(v1_limits=limits, latency=(0.0, 0.2))
    async with (
        Sandbox(traffic=TRAFFIC, settings=settings, seed=1) as box,
        EmailLogsClient(
            box.url,
            ApiKey(box.credentials.api_key),
            limit=f"{A_MINUTE}/60s",
            retry=RetryPolicy(attempts=20, total=60.0 * MINUTES),
            timeouts=Timeouts(read=5),
        ) as client,
    ):
        box.script(*faults(1, MINUTES * A_MINUTE))
        arrived: list[int] = []

        def objects() -> float:
            assert box.throttled == 0
            arrived.append(len(box.arrivals))
            box.arrivals.clear()  # they are no objects of the client's
            return len(gc.get_objects())

        work = Work(client, Truth.of(box.records), teams=1, pace=20, seed=1)
        samples = await work.run(samples=MINUTES // 2, every=120.0, memory=objects)
        assert sum(arrived) == pytest.approx(MINUTES * A_MINUTE, rel=0.02)
        assert work.counts.pulls > MINUTES
        assert min(work.counts.lookups, work.counts.left) > 2 * MINUTES
        assert growth(samples, lambda one: one.memory) < 0.1 * samples[0].memory
        assert growth(samples, lambda one: one.tasks) < 0.1 * samples[0].tasks
        assert growth(samples, lambda one: one.files) <= 2
        await asyncio.sleep(1)
        assert not others()
