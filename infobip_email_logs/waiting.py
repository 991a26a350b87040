"""Those who wait for something on one event loop, in their order; any of them may leave."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Waiting(Generic[T]):
    """A queue of callers, each of whom waits for one thing."""

    def __init__(self) -> None:
        self._places: deque[asyncio.Future[T]] = deque()
        self._count = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def __iter__(self) -> Iterator[asyncio.Future[T]]:
        """Yield the places of those who wait, in their order."""
        return (place for place in self._places if not place.done())

    def join(self) -> asyncio.Future[T]:
        """Return a new place, the last one; give it to :meth:`leave` when it is cancelled."""
        place: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._places.append(place)
        self._count += 1
        return place

    def serve(self, thing: T) -> None:
        """Give the first one what it waits for. Somebody has to wait."""
        while (place := self._places.popleft()).done():
            pass
        self._count -= 1
        place.set_result(thing)

    def refuse(self, place: asyncio.Future[T], error: Exception) -> None:
        """Let one of those who wait go without."""
        self._count -= 1
        place.set_exception(error)
        self._sweep()

    def leave(self) -> None:
        """Tidy up behind one who was cancelled."""
        self._count -= 1
        self._sweep()

    def dismiss(self, why: Callable[[], Exception]) -> None:
        """Let all who wait go without."""
        for place in self:
            place.set_exception(why())
        self._places.clear()
        self._count = 0

    def _sweep(self) -> None:
        """Keep no more of those who left than of those who wait."""
        if len(self._places) > 2 * self._count + 8:
            self._places = deque(self)
