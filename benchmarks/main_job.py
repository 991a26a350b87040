"""How well the limit is used: 600 requests, 50 at a time, through 60 in 3 seconds, in real time.

    python benchmarks/main_job.py

Reach: no 429, and at most 1.05 x the best possible time. The best possible is 27 s: ten bursts of
60, the last of which may leave 27 s after the first.
"""

import asyncio
import time

from service_process import service

from infobip_email_logs import ApiKey, EmailLogsClient, LogsQuery
from infobip_email_logs.sandbox import Settings, TimeWindow, Traffic

REQUESTS, AT_A_TIME, BURST, PER = 600, 50, 60, 3.0
BEST = (REQUESTS / BURST - 1) * PER


async def ask(url: str, api_key: str) -> float:
    """Make the requests; return the seconds that they took."""
    room = asyncio.Semaphore(AT_A_TIME)
    limit = f"{BURST}/{PER:g}s"
    async with EmailLogsClient(url, ApiKey(api_key), limit=limit) as client:

        async def one() -> None:
            async with room:
                await client.get_page(LogsQuery(limit=1))

        start = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(REQUESTS)))
        return time.perf_counter() - start


def main() -> None:
    """Print the figures, and fail where they are not reached."""
    settings = Settings(v1_limits=[TimeWindow(BURST, PER)], latency=(0.02, 0.12))
    with service(settings=settings, traffic=Traffic(bulks=1), seed=1) as there:
        seconds = asyncio.run(ask(there.url, there.api_key))
        arrivals, throttled = there.counts()
    print(f"requests {arrivals}, 429s {throttled}, {seconds:.2f} s = {seconds / BEST:.3f} x best")
    assert throttled == 0
    assert arrivals == REQUESTS
    assert seconds <= 1.05 * BEST


if __name__ == "__main__":
    main()
