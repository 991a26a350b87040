"""A window from its oldest records on, in pieces that a page holds. Pure.

It is for a service that promises nothing about which records a full page holds. Only a page that
is not full proves anything here. A full one is a sample: it shows where the density changes. Pieces
are sized by the density that was counted last, or by that of the sample where it changes much, and
leave as much room in a page as forecasts were wrong of late.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from .density import FIRST_GUESS, Density
from .moments import EVER
from .page_facts import Verdict
from .piles import pile
from .stretches import Doubt, Outcome, Stretch, View, between

if TYPE_CHECKING:
    from .overlap import Item

FILL = 0.88
"""How full a page is to be, where no density is known but that of the last page."""

CAUTION = 1.5
"""How many times the error of a density that was not counted is allowed for."""

CROWDED = 1.25
"""How many pages a piece holds that was to be not quite full, and was."""

DECEIVED = 3
"""How often a stretch that seemed empty may turn out full before full pages are no samples."""

FEW = 20
"""The records of a page below which it tells no density."""

GROWTH = 4
"""How much longer a piece is than one that held few records."""

PATIENCE = 2
"""How many pieces may be full, one after the other, before they get much shorter."""


@attrs.define(eq=False)
class Forward(Stretch):
    """One piece after the other.

    ``low`` and ``high`` are those of the piece that is asked for.

    Attributes:
        last: The last millisecond of all pieces.
        span: The window, with bounds.
        density: What is known of its density.
        asked: The fields that the query filters by.
        expected: How many records the piece is expected to hold.
        deceived: How often a stretch that seemed empty turned out full: a full page may be a part
            of the window, and no sample of it.
        sparse: Whether the piece before held few records.
        full: How many pieces before were full, one after the other.
        crowd: Before which millisecond there is more than a page, and how many records at least.
    """

    last: int = attrs.field(kw_only=True)
    span: tuple[int, int] = attrs.field(kw_only=True)
    density: Density = attrs.field(kw_only=True)
    asked: Collection[str] = attrs.field(kw_only=True)
    expected: float = 0.0
    deceived: int = 0
    sparse: bool = True
    full: int = 0
    crowd: tuple[int, int] = (0, 0)

    def take_in(self, view: View) -> Outcome:
        """Go on behind a piece that is whole, and ask for a shorter one where it is not."""
        self._raise_ceiling(view)
        if view.verdict is Verdict.WHOLE:
            then = self._behind(self.high + 1, view)
            return Outcome(self.new(view), then, covered=(self.low, self.high))
        begin, end = self._bounded()
        if end - begin <= view.facts.grain:
            only_suspected = view.verdict is Verdict.DOUBTFUL
            doubt = Doubt(view.page.size, len(view.inside), parts=1) if only_suspected else None
            end = begin // view.facts.grain * view.facts.grain + view.facts.grain
            at = attrs.evolve(self, low=begin, high=end - 1)
            outcome = pile(at, view, self.asked, doubt=doubt)
            return attrs.evolve(outcome, then=[*outcome.then, *self._behind(end, view)])
        return Outcome(then=[self._shorter(begin, end, view)])

    def _raise_ceiling(self, view: View) -> None:
        """Let the last piece of an open window reach as far as the service's clock by now."""
        if self.high == EVER:
            _, end = view.bearings.span(self.low, self.high, view.times)
            self.span = self.span[0], max(self.span[1], end)
            last = self.density.segments[-1]
            last.end = max(last.end, end)

    def _behind(self, low: int, view: View) -> list[Stretch]:
        """Return the next piece, if there is one, sized by the one before."""
        self.full = 0
        self.crowd = self.crowd[0], self.crowd[1] - len(view.inside)
        if low > self.last:
            return []
        begin, end = self._bounded()
        if self.deceived >= DECEIVED:
            return [self._piece(low, view, length=self._by_the_last(begin, end, view))]
        if begin < end and view.verdict is Verdict.WHOLE:
            self.density.count((begin, end), len(view.inside))
        return [self._piece(low, view)]

    def _shorter(self, begin: int, end: int, view: View) -> Forward:
        """Return a part of a piece that was full."""
        cap, segment = view.facts.cap, self.density.at(begin)
        if segment.counted is None and self.expected < cap / 8:
            self.deceived += 1
        self.full += 1
        self.crowd = end, min(cap, view.page.size)
        length = (end - begin) // 2 if self.expected < cap / 2 else (end - begin) * 4 // 5
        if self.full > PATIENCE:
            length = (end - begin) // GROWTH
        if self.deceived >= DECEIVED:
            return self._piece(self.low, view, length=min(length, self._by_the_full(begin, view)))
        total = (4 if segment.counted is None else CROWDED) * cap
        self.density.crowded(view.times, (begin, end), max(total, 1.3 * self.expected))
        return self._piece(self.low, view, below=begin + length)

    def _by_the_last(self, begin: int, end: int, view: View) -> int:
        """Return the length of a piece that goes on like the one before ended."""
        half = len(view.times) // 2
        self.sparse = half < FEW // 2
        if self.sparse:
            return GROWTH * (end - begin)
        return int(FILL * view.facts.cap * (end - view.times[-half]) / half)

    def _by_the_full(self, begin: int, view: View) -> int:
        """Return the length of a piece as dense as a full page, or one that ends before it."""
        first, last = view.times[0], view.times[-1]
        length = int(FILL * (last - first + 1))
        return first - begin if self.sparse and first - begin > 2 * length else length

    @property
    def left(self) -> tuple[int, int]:
        """This piece and all behind it."""
        return self.low, self.last

    def begun(self, view: View) -> Forward:
        """Return the first piece."""
        return self._piece(self.low, view)

    def _bounded(self) -> tuple[int, int]:
        """Return the piece, with bounds."""
        return max(self.low, self.span[0]), min(self.high + 1, self.span[1])

    def _piece(
        self, low: int, view: View, *, below: int = EVER, length: int | None = None
    ) -> Forward:
        """Return the piece that begins at an instant.

        Args:
            low: Its first millisecond.
            view: The last answer.
            below: The millisecond that it ends before, at the latest.
            length: Its length; without it, what a page should hold.
        """
        begin, grain = max(low, self.span[0]), view.facts.grain
        end = self._end(begin, view) if length is None else begin + length
        if begin < self.crowd[0] <= end and self.crowd[1] > view.facts.whole:
            end = (begin + self.crowd[0]) // 2  # as a whole it would be full again
        end = max(min(end, below) // grain * grain, begin // grain * grain + grain)
        high = self.last if end >= self.span[1] else end - 1
        expected = self.density.expected(begin, end)
        return attrs.evolve(self, low=low, high=high, expected=expected)

    def _end(self, begin: int, view: View) -> int:
        """Return the end of a piece that a page should hold."""
        room, end = self.density.fill * view.facts.cap, begin
        for segment in self.density.behind(begin):
            rate = segment.rate * (1 + CAUTION * segment.error)
            if rate * (segment.end - end) > room:
                return end + int(room / rate)
            room -= rate * (segment.end - end)
            end = segment.end
        return end


def forward(
    window: tuple[int, int],
    view: View,
    *,
    known: list[Item],
    points: list[Item],
    asked: Collection[str],
) -> Forward:
    """Return the first piece of a window.

    Args:
        window: Its first and its last millisecond.
        view: The last answer to a part of it.
        known: Its records that were handed over already.
        points: Records of it, as a sample.
        asked: The fields that the query filters by.
    """
    low, high = window
    times = [one.at for one in between(points, low, high) if one.at is not None]
    span = view.bearings.span(low, high, sorted(times))
    return Forward(
        low,
        high,
        between(known, low, high),
        last=high,
        span=span,
        density=Density(times, span, FIRST_GUESS * view.facts.cap),
        asked=asked,
    ).begun(view)
