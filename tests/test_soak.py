"""An hour at the limit on a bad line; ``soak.py`` does the same for ten real minutes."""

import asyncio
import gc

from soaking import Truth, Work, faults, growth

from infobip_email_logs import ApiKey, EmailLogsClient, RetryPolicy, Timeouts
from infobip_email_logs.sandbox import Sandbox, Settings, TimeWindow, Traffic

HOUR = 3600.0
SAMPLES = 30
TRAFFIC = Traffic(bulks=10, bulk_size=(5, 20), loose=50, hours=20)


async def test_an_hour_at_the_limit_loses_nothing_and_holds_nothing() -> None:
    """Every log is delivered; objects, tasks and connections are as many at its end."""
    asyncio.get_running_loop().set_debug(False)
    settings = Settings(v1_limits=(TimeWindow(30, 60.0),), latency=(0.05, 0.3))
    async with (
        Sandbox(traffic=TRAFFIC, settings=settings, seed=1) as box,
        EmailLogsClient(
            box.url,
            ApiKey(box.credentials.api_key),
            limit="30/60s",
            retry=RetryPolicy(attempts=20, total=HOUR),
            timeouts=Timeouts(read=5),
        ) as client,
    ):
        box.script(*faults(1, 4000))
        requests = throttled = 0

        def objects() -> float:
            nonlocal requests, throttled
            requests, throttled = requests + len(box.arrivals), throttled + box.throttled
            box.arrivals.clear()
            return len(gc.get_objects())

        work = Work(client, Truth.of(box.records), seed=1)
        samples = await work.run(samples=SAMPLES, every=HOUR / SAMPLES, memory=objects)
        print(requests, throttled, work.counts, [(s.memory, s.tasks, s.files) for s in samples])
        print(growth(samples, lambda s: s.memory), client._limiter.snapshot())
