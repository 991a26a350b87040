"""A process that forks: what was used before, and what was not, is tried in the new one.

    python forking_process.py used
    python forking_process.py unused URL KEY FOLDER LIMIT REQUESTS

``used`` prints a line for each way to use something in the new process. ``unused`` builds a client
and its limiter, and lets two new processes send so many requests with them.
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Coroutine
from typing import Any

from entries import ENTRIES, Things

from infobip_email_logs import ApiKey, EmailLogsClient, HostLimiter, LogsQuery


def told(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, object]) -> str:
    """Return the error of some work."""
    try:
        loop.run_until_complete(work)
    except Exception as error:  # noqa: BLE001 - it is printed
        return f"{type(error).__name__}: {error}"
    return "no error"


def used() -> None:
    """Use everything, fork, and try to use it again: on the same loop, and on a new one."""
    loop = asyncio.new_event_loop()
    things = loop.run_until_complete(Things.used())
    if child := os.fork():
        os.waitpid(child, 0)
        loop.run_until_complete(things.close())
        loop.close()
        return
    for there in (loop, asyncio.new_event_loop()):
        for name, entry in ENTRIES.items():
            print(f"{name}: {told(there, entry(things))}", flush=True)  # noqa: T201 - it is read
    os._exit(0)


async def ask(client: EmailLogsClient, limiter: HostLimiter, requests: int) -> None:
    """Send requests, and close."""
    async with limiter, client:
        await asyncio.gather(*(client.get_page(LogsQuery(limit=1)) for _ in range(requests)))


def unused(url: str, key: str, folder: str, limit: str, requests: str) -> None:
    """Build a client, as a server does that loads its application before it forks its workers."""
    limiter = HostLimiter(limit, key="account", folder=folder)
    client = EmailLogsClient(url, ApiKey(key), limiter=limiter)
    fork = multiprocessing.get_context("fork")
    work = lambda: asyncio.run(ask(client, limiter, int(requests)))  # noqa: E731
    workers = [fork.Process(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    unused(*sys.argv[2:]) if sys.argv[1] == "unused" else used()
