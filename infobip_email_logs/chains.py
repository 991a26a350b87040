"""A stretch in pages that each tell where the next one begins (version 4). Pure.

A chain ends with the page that names no next one, whatever the sizes of its pages: for a service
that is known to keep cursors. Where none are kept, all is asked for as a window; and should a
cursor die, the rest is, from the oldest record on.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from .errors import DecodeError, clip
from .overlap import Item, Seen, beyond, seen
from .page_facts import Verdict
from .piles import UNPROVEN
from .query import LogsQuery
from .scans import Scan
from .stretches import Doubtful, Outcome, Stretch, View

MOST_EMPTY = 20
"""The empty pages, one after the other, from which on no more logs are expected."""

CURSOR_DIED = "the cursor died"
"""Why what follows a cursor is a gap: it was refused, and the pages were in no order."""


@attrs.define(eq=False)
class Chain(Stretch):
    """A stretch that is followed from cursor to cursor.

    Attributes:
        asked: The fields that the query filters by.
        first: The request of the first page: a cursor is good for that query only.
        cursors: The cursors so far.
        floor: The oldest record so far.
        tail: The records of that millisecond.
        before: How often each identity occurred on the page before.
        ordered: Whether each page went on where the one before ended, downwards.
        dated: Whether all records told when they were sent.
        narrow: Whether the lower part of what it goes through is another stretch's.
        held: Records of the last page that do not tell when they were sent, and may be the other
            stretch's: they are not, if the next page has a record of this one.
        empty: How many pages were empty, one after the other.
        dropped: Whether such records were left to the other stretch, and may be this one's.
    """

    asked: Collection[str] = attrs.field(kw_only=True)
    first: LogsQuery | None = None
    cursors: set[str] = attrs.field(factory=set[str])
    floor: int | None = None
    tail: list[Item] = attrs.field(factory=list[Item])
    before: Seen = attrs.field(factory=lambda: seen([]))
    ordered: bool = True
    dated: bool = True
    narrow: bool = False
    held: list[Item] = attrs.field(factory=list[Item])
    empty: int = 0
    dropped: bool = False

    def take_in(self, view: View) -> Outcome:
        """Hand over a page, and ask for the next one while there is one."""
        cursor = view.page.next_cursor
        view.facts.names_next = view.facts.names_next or cursor is not None
        if self.cursor is None and not view.page.tells_next:
            return self.as_window().take_in(view)
        if not view.facts.names_next and view.verdict is not Verdict.WHOLE:
            return Outcome(then=[CursorCheck(self.low, self.high, chain=self, first=view)])
        new = self._fresh(view)
        if self.narrow:
            new = self._hold_back(new, view)
        if cursor is None:
            return self._done(new)
        self._check(cursor, view)
        self._go_down(view)
        if self.ordered and self.floor is not None and self.floor < self.low:
            return self._done(new)
        self.cursor = cursor
        return Outcome(new, [self])

    def _hold_back(self, new: list[Item], view: View) -> list[Item]:
        """Return what is known to be of this stretch."""
        released, self.held = self.held, [one for one in new if one.at is None]
        if not view.times or view.times[-1] < self.low:
            self.dropped, released = self.dropped or bool(released), []
        return [*released, *(one for one in new if one.at is not None)]

    def _done(self, new: list[Item]) -> Outcome:
        doubtful = self.dropped or self.held
        gaps = [Doubtful(self.low, self.high, UNPROVEN)] if doubtful else []
        return Outcome(new, covered=(self.low, self.high), gaps=gaps)

    def begins_anew(self, view: View) -> bool:
        """Say whether it has but one page, and forget its request."""
        only = self.cursor is None and view.page.next_cursor is None
        if only:
            self.first = None
        return only

    def as_window(self) -> Scan:
        """Return the stretch, to be asked for without cursors."""
        return Scan(self.low, self.high, self.known, asked=self.asked)

    def _fresh(self, view: View) -> list[Item]:
        """Return what was not handed over, though the pages may have shifted meanwhile."""
        new = self.new(view)
        if self.floor is not None and _above(view.items, self.floor):
            new = beyond(new, self.before)
            self.ordered = self.ordered and not _above(new, self.floor)
        return new

    def _check(self, cursor: str, view: View) -> None:
        """Refuse to go in circles."""
        self.empty = 0 if view.page.size else self.empty + 1
        if cursor in self.cursors or self.empty > MOST_EMPTY:
            raise DecodeError(
                "the service's cursor repeats, or leads to empty pages only, so that there is no "
                f"end: {clip(cursor)!r}",
                path="$.cursor.nextCursor",
                value=clip(cursor),
            )
        self.cursors.add(cursor)

    def _go_down(self, view: View) -> None:
        """Take note of where a page ends."""
        self.before = seen(view.items)
        self.dated = self.dated and not view.unplaced
        if not view.times:
            return
        floor = view.times[0]
        if self.floor is None or floor < self.floor:
            self.floor, self.tail = floor, []
        self.tail += [one for one in view.inside if one.at == self.floor]

    @property
    def is_placed(self) -> bool:
        """Whether its pages are known to have held all above the oldest record, and only that."""
        return self.ordered and self.dated

    @property
    def left(self) -> tuple[int, int]:
        """What is below the oldest record, where the pages are in order."""
        if self.ordered and self.floor is not None and not (self.held or self.dropped):
            return self.low, min(self.high, self.floor)
        return self.low, self.high

    def rest(self, grain: int) -> Scan | None:
        """Return what to ask for instead, as the cursor died; None where that is not known.

        Args:
            grain: The milliseconds that timestamps are told in.
        """
        if not self.is_placed or self.floor is None:
            return None
        low, high = self.low, min(self.high, self.floor // grain * grain + grain - 1)
        return Scan(low, high, [*self.known, *self.tail], asked=self.asked)


@attrs.define(eq=False)
class CursorCheck(Stretch):
    """One record of a stretch whose only page may have been cut, and named no next one.

    A service that keeps cursors names a next page behind it; then the only page was the last.

    Attributes:
        chain: The stretch.
        first: Its page.
    """

    chain: Chain = attrs.field(kw_only=True)
    first: View = attrs.field(kw_only=True)
    size: int | None = 1

    def take_in(self, view: View) -> Outcome:
        """Take the page for the last one, or the stretch for a window."""
        view.facts.names_next = view.page.next_cursor is not None
        if view.facts.names_next:
            return self.chain.take_in(self.first)
        return self.chain.as_window().take_in(self.first)


def _above(items: list[Item], floor: int) -> bool:
    return any(one.at is not None and one.at > floor for one in items)
