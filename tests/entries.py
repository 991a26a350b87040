"""Every way to use something that belongs to one event loop, by its name."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self

import attrs
from sharing import Shelf

from infobip_email_logs import ApiKey, EmailLogsClient, LocalLimiter, Permit, Pull
from infobip_email_logs.shared_limiter import SharedLimiter


@attrs.frozen
class Things:
    """What was used on one loop.

    Attributes:
        client: A client, with a limiter that lets nothing through.
        pull: A pull of it, under way.
        planned: Another one, that was not begun.
        local: Its limiter.
        shared: A limiter that several share.
        permit: A permit of the local one.
    """

    client: EmailLogsClient
    pull: Pull
    planned: Pull
    local: LocalLimiter
    shared: SharedLimiter
    permit: Permit

    @classmethod
    async def used(cls) -> Self:
        """Use everything once."""
        local, shared = LocalLimiter("1/1000s"), SharedLimiter(Shelf(), "5/1000s")
        client = EmailLogsClient("http://127.0.0.1:1", ApiKey("k"), limiter=local)
        permit = await local.acquire()
        (await shared.acquire()).answered()
        await shared.flush()
        pull = client.logs()
        step = asyncio.ensure_future(anext(pull))
        await asyncio.sleep(0.01)
        step.cancel()
        return cls(client, pull, client.logs(), local, shared, permit)

    async def close(self) -> None:
        """Close everything."""
        self.permit.unused()
        await self.pull.aclose()
        await self.client.close()
        await self.shared.aclose()


async def settled(permit: Permit) -> None:
    """Tell how a request ended."""
    permit.answered()


async def used_up(limiter: LocalLimiter) -> None:
    """Take the limit for used up."""
    limiter.use_up()


async def looped(pull: Pull) -> None:
    """Iterate."""
    async for _ in pull:
        pass


ENTRIES: dict[str, Callable[[Things], Coroutine[Any, Any, Any]]] = {
    "get_page": lambda there: there.client.get_page(),
    "get_log": lambda there: there.client.get_log("a"),
    "get_logs": lambda there: there.client.get_logs(["a", "b"]),
    "async with client": lambda there: there.client.__aenter__(),
    "new pull": lambda there: looped(there.client.logs()),
    "new pull of messages": lambda there: looped(there.client.logs_by_message_id("a")),
    "new pull of bulks": lambda there: looped(there.client.logs_by_bulk_id("a")),
    "new plan": lambda there: there.client.logs().plan(),
    "pull made before": lambda there: there.planned.__anext__(),
    "pull under way": lambda there: there.pull.__anext__(),
    "pull closed": lambda there: there.pull.aclose(),
    "client closed": lambda there: there.client.close(),
    "local limiter": lambda there: there.local.acquire(),
    "local limiter used up": lambda there: used_up(there.local),
    "shared limiter": lambda there: there.shared.acquire(),
    "shared limiter flushed": lambda there: there.shared.flush(),
    "shared limiter closed": lambda there: there.shared.aclose(),
    "permit": lambda there: settled(there.permit),
}
