"""Where records are dense and where they are rare, learned from samples and from counts. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from math import log
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIGNIFICANT = 12.0
"""The gain in log-likelihood from which on a change of density is no accident."""

FEWEST = 8
"""The points, at least, that a change of density is looked for in."""

FIRST_GUESS = 16
"""How many pages a window holds, as long as nothing but a full page of it is known."""

Span = tuple[int, int]
"""From an instant to before another, in milliseconds."""


def cuts(points: Sequence[int], span: Span) -> Iterator[int]:
    """Yield where the density of sorted points changes, in their order.

    The place that explains the points best as two even stretches is a cut if it is significant;
    then each side is looked at alike.
    """
    begin, end = span
    if len(points) < FEWEST or end - begin < FEWEST:
        return
    gain, place, left = max(_gains(points, span))
    if gain < SIGNIFICANT:
        return
    yield from cuts(points[:left], (begin, place))
    yield place
    yield from cuts(points[left:], (place, end))


def _gains(points: Sequence[int], span: Span) -> Iterator[tuple[float, int, int]]:
    """Yield what each place of a cut gains, the place, and the points before it."""
    begin, end = span
    number = len(points)
    even = number * log(number / (end - begin))
    yield 0.0, begin, 0
    for place, before in _places(points):
        if begin < place < end:
            after = number - before
            gain = before * log(before / (place - begin)) if before else 0.0
            gain += after * log(after / (end - place)) if after else 0.0
            yield gain - even, place, before


def _places(points: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield just before and just behind each point, with the number of points before it."""
    last = len(points) - 1
    for index, point in enumerate(points):
        if not index or points[index - 1] < point:
            yield point, index
        if index == last or points[index + 1] > point:
            yield point + 1, index + 1


@attrs.define
class Segment:
    """A stretch of one density.

    Attributes:
        begin: Its first millisecond.
        end: The millisecond after its last.
        rate: The records of a millisecond, as far as is known.
        measured: Whether it was counted, not only guessed.
    """

    begin: int
    end: int
    rate: float
    measured: bool = False

    def expected(self, begin: int, end: int) -> float:
        """Return how many records are expected in a part."""
        return self.rate * max(0, min(end, self.end) - max(begin, self.begin))


class Density:
    """The records of a millisecond over a window: guessed from a sample, mended by counting.

    Args:
        points: The instants of some of the records.
        span: The window.
        total: How many records it holds, as a guess.
    """

    def __init__(self, points: Sequence[int], span: Span, total: float) -> None:
        self.segments = _segments(sorted(points), span, total)

    def at(self, instant: int) -> Segment:
        """Return the segment that an instant is in; the last one behind the end."""
        return next((one for one in self.segments if instant < one.end), self.segments[-1])

    def expected(self, begin: int, end: int) -> float:
        """Return how many records are expected in a stretch."""
        return sum(segment.expected(begin, end) for segment in self.segments)

    def count(self, span: Span, number: int) -> None:
        """Learn how many records a stretch within one segment holds."""
        begin, end = span
        segment = self.at(begin)
        expected = segment.expected(begin, end)
        rate = number / max(1, end - begin)
        if not segment.measured:
            self._rescale((number + 1) / (expected + 1))
        segment.rate = (segment.rate + rate) / 2 if segment.measured else rate
        segment.measured = True

    def _rescale(self, factor: float) -> None:
        for segment in self.segments:
            if not segment.measured:
                segment.rate *= factor

    def crowded(self, points: Sequence[int], span: Span, total: float) -> None:
        """Learn that a stretch within one segment holds more: so many records, about.

        Args:
            points: The instants of some of them.
            span: The stretch.
            total: How many there are, as a guess.
        """
        begin, end = span
        segment = self.at(begin)
        if segment.measured:
            segment.rate = total / (end - begin)
        else:
            self._rescale(total / self.expected(begin, end))
        finer = _segments(sorted(points), span, total)
        if len(finer) > 1:
            self._replace(span, finer)

    def _replace(self, span: Span, finer: list[Segment]) -> None:
        begin, end = span
        kept = [
            part
            for segment in self.segments
            for part in (
                attrs.evolve(segment, end=min(segment.end, begin)),
                attrs.evolve(segment, begin=max(segment.begin, end)),
            )
            if part.begin < part.end
        ]
        self.segments = sorted([*kept, *finer], key=lambda segment: segment.begin)


def _segments(points: Sequence[int], span: Span, total: float) -> list[Segment]:
    """Return the segments of a window, from points that stand for so many records."""
    begin, end = span
    inside = points[bisect_left(points, begin) : bisect_left(points, end)]
    borders = [begin, *cuts(inside, span), end]
    weight = total / max(1, len(inside))
    segments: list[Segment] = []
    for first, last in itertools.pairwise(borders):
        number = bisect_left(inside, last) - bisect_left(inside, first)
        segments.append(Segment(first, last, weight * max(number, 0.5) / (last - first)))
    return segments
