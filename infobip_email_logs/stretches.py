"""A stretch of a window, and what its answer leads to. Pure.

A stretch owns whole milliseconds. It is asked for with bounds that hold them whether the service
takes bounds for inclusive or not, and what lies beyond its own milliseconds is left to others:
so stretches that share no millisecond share no record, and nothing needs to be remembered of
the other ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import attrs

from .models import LogsPage
from .moments import EVER
from .overlap import Item, Seen, beyond, seen
from .page_facts import Choice, PageFacts, Verdict

NO_FILTERS: Mapping[str, str] = {}


@attrs.define(slots=False)
class View:
    """An answer, seen from the stretch that it was asked for.

    Attributes:
        page: The answer.
        items: All of its records.
        low: The first millisecond of the stretch.
        high: The last one.
        facts: What is known of the service's pages.
        bearings: Where the window ends where it has no bound.
    """

    page: LogsPage
    items: list[Item]
    low: int
    high: int
    facts: PageFacts
    bearings: Bearings

    @cached_property
    def verdict(self) -> Verdict:
        """What the size of the answer proves; the service's pages are judged by it from now on."""
        return self.facts.verdict(self.page.size)

    @cached_property
    def inside(self) -> list[Item]:
        """The records of the stretch, and those that do not tell when they were sent."""
        return between(self.items, self.low, self.high)

    @cached_property
    def times(self) -> list[int]:
        """When the records were sent, in order."""
        return sorted(one.at for one in self.items if one.at is not None)

    @property
    def unplaced(self) -> bool:
        """Whether a record does not tell when it was sent."""
        return len(self.times) < len(self.items)


@attrs.define
class Bearings:
    """Where a window ends that has no bound, by the service's clock, in milliseconds.

    Attributes:
        first_edge: What was sent before had expired when the sweep began; None until it is known.
        edge: What was sent before has expired by now.
        ceiling: Nothing was sent after it, as far as is known.
        choice: Which records a full page holds, as far as this sweep has shown.
    """

    first_edge: int | None = None
    edge: int | None = None
    ceiling: int | None = None
    choice: Choice = Choice.UNKNOWN

    def span(self, low: int, high: int, times: list[int]) -> tuple[int, int]:
        """Return a window with bounds, from before its first to behind its last millisecond."""
        begin = low
        if low == -EVER:
            begin = min([*times[:1], self.edge if self.edge is not None else EVER, high])
        end = high + 1
        if high == EVER:
            end = max([*times[-1:], self.ceiling if self.ceiling is not None else -EVER, begin]) + 1
        return begin, max(begin + 1, end)


@attrs.define
class Doubt:
    """A page that may have been cut: it is whole if its parts are, and no larger together.

    Attributes:
        size: Its records.
        inside: Those of its stretch.
        parts: How many parts are not answered.
        found: The records of the others.
    """

    size: int
    inside: int
    parts: int = 2
    found: int = 0

    def settle(self, found: int, facts: PageFacts) -> None:
        """Take note of a part that is whole, and of how many records it has."""
        self.parts -= 1
        self.found += found
        if self.found > self.inside:
            facts.distrust(self.size)
        elif not self.parts:
            facts.acquit(self.size)


@attrs.define(eq=False)
class Stretch:
    """A part of the window that is to be asked for, next or again.

    Attributes:
        low: Its first millisecond.
        high: Its last millisecond.
        known: Records in it that were handed over already.
        record_below: Whether a record is known in the millisecond before it.
        record_above: Whether a record is known in the millisecond after it.
        filters: What it is asked for with, beside the filters of the query.
        cursor: Where its next page begins.
        size: How many records are asked for; as many as can be, without.
    """

    low: int
    high: int
    known: list[Item] = attrs.field(factory=list[Item])
    record_below: bool = False
    record_above: bool = False
    filters: Mapping[str, str] = NO_FILTERS
    cursor: str | None = None
    size: int | None = None

    def take_in(self, view: View) -> Outcome:
        """Return what an answer leads to."""
        raise NotImplementedError

    def begins_anew(self, view: View) -> bool:
        """Say whether it can be asked for again with other bounds, and prepare for that."""
        del view
        return True

    def sampled(self, first: View, *, whole: bool) -> Outcome:
        """Return what its answer leads to, as a larger page was seen, or was not."""
        raise NotImplementedError

    @property
    def left(self) -> tuple[int, int]:
        """The milliseconds that are not complete before this is answered, and what follows."""
        return self.low, self.high

    def new(self, view: View) -> list[Item]:
        """Return the records of the stretch that were not handed over."""
        return beyond(view.inside, self.seen)

    @property
    def seen(self) -> Seen:
        """How often each identity was handed over."""
        return seen(self.known)


@attrs.define(eq=False)
class Sample(Stretch):
    """The latest logs of all: is a page larger than the one that is suspected to be cut?

    Attributes:
        of: The stretch of that page.
        first: That page.
    """

    of: Stretch = attrs.field(kw_only=True)
    first: View = attrs.field(kw_only=True)

    def take_in(self, view: View) -> Outcome:
        """Learn how large pages are, and go on with the page that is in doubt."""
        larger = view.page.size > self.first.page.size
        if larger:
            view.facts.note(view.page.size)
        return self.of.sampled(self.first, whole=larger)

    @property
    def left(self) -> tuple[int, int]:
        """Those of the stretch that is in doubt."""
        return self.of.left


def between(items: list[Item], low: int, high: int) -> list[Item]:
    """Return the records of a part of a window."""
    return [item for item in items if item.at is None or low <= item.at <= high]


@attrs.frozen
class Doubtful:
    """A part of the window that is not proven: its milliseconds, further filters, and why."""

    low: int
    high: int
    why: str
    filters: Mapping[str, str] = NO_FILTERS


@attrs.frozen
class Outcome:
    """What an answer leads to.

    Attributes:
        hand: What is to be handed over.
        then: What is to be asked for next.
        covered: The part of the window that is complete by now; None for none.
        gaps: What is not proven to be.
    """

    hand: list[Item] = attrs.field(factory=list[Item])
    then: list[Stretch] = attrs.field(factory=list[Stretch])
    covered: tuple[int, int] | None = None
    gaps: list[Doubtful] = attrs.field(factory=list[Doubtful])
