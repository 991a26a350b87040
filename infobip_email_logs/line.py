"""The line of those who wait: first come first served, in two priorities. Pure."""

from __future__ import annotations

import enum
from collections import OrderedDict
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

IN_A_ROW = 4
"""How many single lookups go, at most, before a bulk pull that waits has its turn."""


class Priority(enum.Enum):
    """Who goes first where two wait."""

    LOOKUP = "lookup"
    """Somebody waits for this one answer."""

    BULK = "bulk"
    """One of many requests."""


class Line(Generic[T]):
    """Those who wait, each once; whoever leaves costs the same wherever it stands.

    Lookups go before bulk pulls, but not more than :data:`IN_A_ROW` of them while one waits.

    Attributes:
        length: How many wait.
    """

    def __init__(self) -> None:
        self._lookups: OrderedDict[T, None] = OrderedDict()
        self._bulk: OrderedDict[T, None] = OrderedDict()
        self._row = 0
        self.length = 0

    def join(self, one: T, priority: Priority) -> None:
        """Let one wait behind the others of its priority."""
        self._lane(priority)[one] = None
        self.length += 1

    def leave(self, one: T) -> None:
        """Let one go who waits no longer, if it is still there."""
        for lane in (self._lookups, self._bulk):
            if one in lane:
                del lane[one]
                self.length -= 1

    def first(self) -> T:
        """Return the one whose turn it is; somebody must be waiting."""
        return next(iter(self._bulk if self._is_bulks_turn() else self._lookups))

    def serve(self) -> None:
        """Take out the one whose turn it is."""
        self.length -= 1
        if self._is_bulks_turn():
            self._row = 0
            self._bulk.popitem(last=False)
        else:
            self._row = self._row + 1 if self._bulk else 0
            self._lookups.popitem(last=False)

    def count(self, priority: Priority) -> int:
        """Return how many of one priority wait."""
        return len(self._lane(priority))

    def ahead(self, priority: Priority) -> int:
        """Return how many of those who wait now go before somebody who joins."""
        lookups, bulk = len(self._lookups), len(self._bulk)
        if priority is Priority.LOOKUP:
            return lookups + min(bulk, (self._row + lookups) // IN_A_ROW)
        return bulk + min(lookups, (bulk + 1) * IN_A_ROW - self._row)

    def order(self) -> list[T]:
        """Return those who wait, in the order in which they go if nobody joins."""
        lookups, row = iter(self._lookups), self._row
        order: list[T] = []
        for one in self._bulk:
            order += [*islice(lookups, max(0, IN_A_ROW - row)), one]
            row = 0
        return [*order, *lookups]

    def clear(self) -> list[T]:
        """Take out all of them, in no promised order."""
        waiting = [*self._lookups, *self._bulk]
        self._lookups.clear()
        self._bulk.clear()
        self.length = 0
        return waiting

    def _is_bulks_turn(self) -> bool:
        return bool(self._bulk) and (self._row >= IN_A_ROW or not self._lookups)

    def _lane(self, priority: Priority) -> OrderedDict[T, None]:
        return self._lookups if priority is Priority.LOOKUP else self._bulk
