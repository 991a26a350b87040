"""Ids from any iterable, or async iterable, into a plan, without holding the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plans import ByIds

Ids = Iterable[str] | AsyncIterable[str]
"""Where ids come from: a list, a generator, an async generator …"""

TURN = 500
"""The ids that are taken in before the event loop gets its turn."""


async def feed_ids(ids: Ids, plan: ByIds, changed: asyncio.Condition, *, ahead: int) -> None:
    """Feed a plan until there are no more ids.

    An iterable is read to its end first, since the fewest batches need all of it. An async
    iterable is read as the batches are asked for; the plan waits for a batch to fill up.

    Args:
        ids: One id, or several.
        plan: What is fed.
        changed: Told whenever the plan may have something new to ask.
        ahead: The batches that may be ready before they are asked for.
    """
    if isinstance(ids, AsyncIterable):
        await _feed_slowly(ids, plan, changed, ahead)
    else:
        await _feed_all((ids,) if isinstance(ids, str) else ids, plan)
    async with changed:
        plan.end_of_ids()
        changed.notify_all()


async def _feed_all(ids: Iterable[str], plan: ByIds) -> None:
    known: list[str] = []
    for one in ids:
        known.append(one)
        if len(known) % TURN == 0:
            await asyncio.sleep(0)
    known.sort(key=_length, reverse=True)
    for start in range(0, len(known), TURN):
        plan.feed(known[start : start + TURN])
        await asyncio.sleep(0)


def _length(one: object) -> int:
    return len(one) if isinstance(one, str) else 0  # the plan refuses what is no text


async def _feed_slowly(
    ids: AsyncIterable[str], plan: ByIds, changed: asyncio.Condition, ahead: int
) -> None:
    async with _closing(ids):
        async for one in ids:
            async with changed:
                plan.feed([one])
                if plan.backlog:
                    changed.notify_all()
                await changed.wait_for(lambda: plan.backlog <= ahead)


@asynccontextmanager
async def _closing(ids: AsyncIterable[str]) -> AsyncGenerator[None]:
    """Close an async generator at the end, as ``aclosing`` does; leave anything else alone."""
    try:
        yield
    finally:
        close: Any = getattr(ids, "aclose", None)
        if close:
            await close()
