"""A sandbox that runs in a thread of its own, for programs that are run from outside."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infobip_email_logs.sandbox import Sandbox


@contextmanager
def running_sandbox(**options: Any) -> Iterator[Sandbox]:
    """Start a sandbox in real time; stop it when the context is left."""
    started: asyncio.Queue[Sandbox] = asyncio.Queue()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with Sandbox(**options) as sandbox:
            started.put_nowait(sandbox)
            ready.set()
            await stop.wait()

    def main() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=main)
    thread.start()
    ready.wait()
    try:
        yield started.get_nowait()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
