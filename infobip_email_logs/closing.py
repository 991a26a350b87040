"""Closing that comes to its end, also where whoever closes is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do what must not be left half done; a cancellation meanwhile is raised when it is done.

    For work that ends soon by itself: nothing but the end of its event loop stops it.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled from (None if task.cancelled() else task.exception())
    task.result()
