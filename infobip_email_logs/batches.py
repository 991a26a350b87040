"""Ids into the fewest batches that the service takes. Pure: no I/O, no clock."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from .errors import InvalidInput, clip
from .wire import urls

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 2048
"""The characters of a list of ids, at most (API description of version 4, ``messageId``)."""

Batch = tuple[str, ...]


def joined_length(batch: Batch) -> int:
    """Return the characters of a batch in a query string, ids joined by commas."""
    return sum(len(urls.encode(one)) + 1 for one in batch) - 1


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Return the two halves of a batch of two ids or more."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def check_length(one: str, longest: int) -> None:
    """Refuse an id that has more characters in a query string than a list of ids may have.

    Raises:
        InvalidInput: It is too long.
    """
    if len(urls.encode(one)) > longest:
        raise InvalidInput(f"an id is longer than {longest} characters in a URL: {clip(one)}")


class Packer:
    """Packs ids as they come: each goes where it leaves the least room ("best fit").

    Ids of one length are packed into the fewest batches there can be. For the fewest of mixed
    lengths, add the longest first (:func:`pack` does).

    Args:
        max_length: The characters of a batch, at most, as they stand in the query string.
        max_ids: The ids of a batch, at most.
        max_open: The batches that are kept open; the fullest is closed when there are more.
        longest: The characters of an id, at most, if one may be longer than a batch: it is a
            batch of its own then.
    """

    def __init__(
        self, *, max_length: int, max_ids: int, max_open: int, longest: int | None = None
    ) -> None:
        self._longest = longest or max_length
        self._max_length = max_length
        self._max_ids = max_ids
        self._max_open = max_open
        self._open: list[tuple[int, int, list[str]]] = []
        self._opened = 0

    def add(self, one: str) -> Batch | None:
        """Pack an id; return a batch that is closed by it, if one is.

        Raises:
            InvalidInput: The id alone is longer than a batch may be.
        """
        check_length(one, self._longest)
        need = len(urls.encode(one)) + 1
        if need > self._max_length:
            return (one,)
        place = bisect.bisect_left(self._open, (need,))
        if place < len(self._open):
            room, number, batch = self._open.pop(place)
        else:
            self._opened += 1
            room, number, batch = self._max_length + 1, self._opened, []
        batch.append(one)
        return self._keep(room - need, number, batch)

    def _keep(self, room: int, number: int, batch: list[str]) -> Batch | None:
        """Keep a batch open while it has room; close it, or the fullest of too many."""
        if len(batch) >= self._max_ids or room <= 1:
            return tuple(batch)
        bisect.insort(self._open, (room, number, batch))
        if len(self._open) > self._max_open:
            return tuple(self._open.pop(0)[2])
        return None

    def flush(self) -> list[Batch]:
        """Close and return what is open, the oldest first."""
        batches = [tuple(batch) for _, _, batch in sorted(self._open, key=lambda slot: slot[1])]
        self._open.clear()
        return batches


def pack(
    ids: Iterable[str], *, max_length: int = MAX_LENGTH, max_ids: int, longest: int | None = None
) -> list[Batch]:
    """Pack ids into few batches, the longest ids first.

    Raises:
        InvalidInput: One id alone is longer than a batch may be.
    """
    longest_first = sorted(ids, key=len, reverse=True)
    packer = Packer(
        max_length=max_length, max_ids=max_ids, max_open=len(longest_first), longest=longest
    )
    closed = [batch for one in longest_first if (batch := packer.add(one))]
    return closed + packer.flush()
