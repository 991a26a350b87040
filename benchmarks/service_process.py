"""A sandbox in a process of its own, so that it costs the measured one nothing."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import attrs

from infobip_email_logs.sandbox import Sandbox


@attrs.frozen
class Service:
    """Where a sandbox listens, and what it tells of itself."""

    url: str
    api_key: str
    bulk_ids: list[str]
    message_ids: list[str]
    pipe: Any

    def counts(self) -> tuple[int, int]:
        """Return the requests that arrived, and how many of them met the limit."""
        self.pipe.send("counts")
        arrivals, throttled = self.pipe.recv()
        return arrivals, throttled


@contextmanager
def service(**options: Any) -> Iterator[Service]:
    """Run a sandbox with these options until the context is left."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_main, args=(theirs, options), daemon=True)
    process.start()
    try:
        url, api_key, bulk_ids, message_ids = ours.recv()
        yield Service(url, api_key, bulk_ids, message_ids, ours)
    finally:
        ours.send("stop")
        process.join(10)


def _main(pipe: Connection, options: dict[str, Any]) -> None:
    asyncio.run(_run(pipe, options))


async def _run(pipe: Connection, options: dict[str, Any]) -> None:
    async with Sandbox(**options) as sandbox:
        known = (list(sandbox.bulk_ids), list(sandbox.message_ids))
        pipe.send((sandbox.url, sandbox.credentials.api_key, *known))
        while await asyncio.to_thread(pipe.recv) == "counts":
            pipe.send((len(sandbox.arrivals), sandbox.throttled))
