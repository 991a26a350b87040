"""Processes that send requests through a shared limiter, to be run and killed from outside.

    python limit_process.py host FOLDER 20/0.5s SECONDS 5,5,5 ARRIVALS
    python limit_process.py redis URL 20/0.5s SECONDS 5,5,5 ARRIVALS

They are three, with five callers each; the first line that is printed tells their ids. Each arrival
is a line of the file ARRIVALS, which names the account, too: who, and when.
"""

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from redis.asyncio import Redis

from infobip_email_logs.host_limiter import HostLimiter
from infobip_email_logs.redis_limiter import RedisLimiter
from infobip_email_logs.shared_limiter import SharedLimiter

TRIP = 0.01


async def limiter(
    stack: AsyncExitStack, kind: str, place: str, limit: str, key: str
) -> SharedLimiter:
    """Return the limiter that was asked for."""
    if kind == "host":
        return await stack.enter_async_context(HostLimiter(limit, key=key, folder=place))
    redis = await stack.enter_async_context(Redis.from_url(place))
    return await stack.enter_async_context(RedisLimiter(redis, limit, key=key))


async def main(
    kind: str, place: str, limit: str, *, seconds: float, callers: int, file: str
) -> None:
    """Send requests until the time is over."""
    arrivals = os.open(Path(file), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with AsyncExitStack() as stack:
        through = await limiter(stack, kind, place, limit, f"{{{file}}}")

        async def caller() -> None:
            while True:
                permit = await through.acquire()
                await asyncio.sleep(TRIP)
                os.write(arrivals, f"{os.getpid()} {time.monotonic()}\n".encode())
                await asyncio.sleep(TRIP)
                permit.answered()

        tasks = [asyncio.create_task(caller()) for _ in range(callers)]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def forked(callers: int) -> int:
    """Return the id of a new process with so many callers, which need not import it all again."""
    kind, place, limit, seconds, _, file = sys.argv[1:]
    if child := os.fork():
        return child
    asyncio.run(main(kind, place, limit, seconds=float(seconds), callers=callers, file=file))
    sys.exit()


def ended() -> int:
    """Return how the next of them ends: 0, or minus the signal by which it was killed."""
    _, status = os.wait()
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    children = [forked(int(number)) for number in sys.argv[5].split(",")]
    sys.stdout.write(" ".join(map(str, children)) + "\n")
    sys.stdout.flush()
    sys.exit(any(ended() not in (0, -signal.SIGKILL) for _ in children))
