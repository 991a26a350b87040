"""Ids from any iterable, or async iterable, into a plan, without holding the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .strategies import Either

Ids = Iterable[str] | AsyncIterable[str]
"""Where ids come from: a list, a generator, an async generator …"""

IDLE = 2.0
"""Seconds without a further id after which lists that are not full yet are asked for."""

_END = object()

TURN = 500
"""The ids that are taken in before the event loop gets its turn."""


async def feed_ids(
    ids: Ids, plan: Either, known: list[str], changed: asyncio.Condition, *, ahead: int
) -> None:
    """Feed a plan until there are no more ids.

    An iterable is read to its end first, since the fewest batches need all of it. An async
    iterable is read as the batches are asked for; a batch is asked for when it is full, or when no
    further id comes for :data:`IDLE` seconds.

    Args:
        ids: One id, or several.
        plan: What is fed.
        known: The ids that were read from an iterable by a feeding that was cancelled.
        changed: Told whenever the plan may have something new to ask.
        ahead: The batches that may be ready before they are asked for.
    """
    if isinstance(ids, AsyncIterable):
        await _feed_slowly(ids, plan, changed, ahead)
    else:
        await _feed_all((ids,) if isinstance(ids, str) else ids, plan, known)
    async with changed:
        plan.end_of_ids()
        changed.notify_all()


async def _feed_all(ids: Iterable[str], plan: Either, known: list[str]) -> None:
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
    ids: AsyncIterable[str], plan: Either, changed: asyncio.Condition, ahead: int
) -> None:
    """Read ids as they are asked for; ask for what is here when no more come for a while."""
    source = aiter(ids)
    coming: asyncio.Task[Any] | None = None
    try:
        while True:
            coming = coming or asyncio.create_task(_next(source))
            done, _ = await asyncio.wait([coming], timeout=IDLE)
            if done and coming.result() is _END:
                return
            async with changed:
                if done:
                    plan.feed([coming.result()])
                    coming = None
                else:
                    plan.flush()
                if plan.backlog:
                    changed.notify_all()
                await changed.wait_for(lambda: plan.backlog <= ahead)
    finally:
        await _stop(source, coming)


async def _next(source: AsyncIterator[str]) -> Any:
    return await anext(source, _END)


async def _stop(source: AsyncIterator[str], coming: asyncio.Task[Any] | None) -> None:
    """Let a source go: what it was asked for last is not wanted, and a generator is closed."""
    if coming:
        coming.add_done_callback(_seen)
        coming.cancel()
        await asyncio.wait([coming])
    close: Any = getattr(source, "aclose", None)
    if close:
        await close()


def _seen(coming: asyncio.Task[Any]) -> None:
    """Take note of an error for which the consumer has gone."""
    if not coming.cancelled():
        coming.exception()
