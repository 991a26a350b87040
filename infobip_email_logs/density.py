"""Where records are dense and where they are rare, learned from samples and from counts. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIGNIFICANT = 12.0
"""The gain in log-likelihood from which on a change of density is no accident."""

FEWEST = 8
"""The points, at least, that a change of density is looked for in."""

ALONE = 3
"""So many points, or fewer, beside a stretch without any are an accident of the sample."""

FIRST_GUESS = 16
"""How many pages a window holds, as long as nothing but a full page of it is known."""

DOUBT = 3.0
"""The points of a sample that the first guess of their weight is worth."""

NEWS = 0.8
"""The part of what a count changes in the rate that was known: the rest is the accident of it."""

STEEP = 2.0
"""A segment begins as dense as the one before it ended, unless it seems so many times denser."""

RECENT = 0.4
"""The part that the last surprise has in what is expected of the next one."""

TELLING = 20
"""The records that a forecast has to be of to surprise."""

OVERFLOW = 1.1
"""How many times what was forecast there is at least where there was more than a page."""

SURPRISES = (0.03, 0.1, 0.6)
"""The least surprise that is expected, the first, the worst; 0.1 is a tenth more than forecast."""

MARGIN = 2.2
"""How many times the usual surprise has room in a page."""

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
        after = number - before
        if begin < place < end and not (0 < before <= ALONE or 0 < after <= ALONE):
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
class Sample:
    """Some of the records, and for how many each of them stands.

    Attributes:
        points: When they were sent, in order.
        guess: For how many one of them stands, before any stretch was counted.
        counted: The records of the stretches that were counted.
        met: The points in them.
    """

    points: Sequence[int]
    guess: float
    counted: float = 0.0
    met: float = 0.0

    @property
    def weight(self) -> float:
        """For how many records a point stands."""
        return (self.counted + DOUBT * self.guess) / (self.met + DOUBT)

    def within(self, span: Span) -> int:
        """Return how many points a stretch has."""
        return bisect_left(self.points, span[1]) - bisect_left(self.points, span[0])

    def count(self, span: Span, number: int) -> None:
        """Learn how many records a stretch holds."""
        if met := self.within(span):
            self.met += met
            self.counted += number


@attrs.define
class Segment:
    """A stretch of one density.

    Attributes:
        begin: Its first millisecond.
        end: The millisecond after its last.
        points: The points of the sample in it.
        thin: How many of them a millisecond has.
        sample: What they are of.
        counted: The records of a millisecond, as they were counted last; None before.
    """

    begin: int
    end: int
    points: int
    thin: float
    sample: Sample
    counted: float | None = None

    @property
    def rate(self) -> float:
        """The records of a millisecond, as far as is known."""
        return self.thin * self.sample.weight if self.counted is None else self.counted

    @property
    def error(self) -> float:
        """By how much the rate may be wrong, as a part of it."""
        return 1 / sqrt(max(1, self.points)) if self.counted is None else 0.0

    def corrected(self, factor: float) -> float:
        """Learn that it holds so many times what was forecast, and return its rate."""
        rate, known = self.rate * factor, self.counted
        self.counted = rate if known is None else known + NEWS * (rate - known)
        return self.counted

    def length(self, span: Span) -> int:
        """Return the milliseconds that it shares with a stretch."""
        return max(0, min(span[1], self.end) - max(span[0], self.begin))


class Density:
    """The records of a millisecond over a window: guessed from a sample, mended by counting.

    Args:
        points: The instants of some of the records.
        span: The window.
        total: How many records it holds, as a guess.
    """

    def __init__(self, points: Iterable[int], span: Span, total: float) -> None:
        self._surprise = SURPRISES[1] ** 2
        first = _sample(points, span, total)
        self._samples = [first]
        self.segments = _segments(first, span)

    @property
    def fill(self) -> float:
        """How full a page is to be, the fuller the better forecasts were of late."""
        return exp(-MARGIN * max(SURPRISES[0], sqrt(self._surprise)))

    def _miss(self, forecast: float, factor: float) -> None:
        """Learn that there was so many times what was forecast."""
        if forecast > TELLING:
            surprise = min(SURPRISES[2], abs(log(factor))) ** 2
            self._surprise += RECENT * (surprise - self._surprise)

    def at(self, instant: int) -> Segment:
        """Return the segment that an instant is in; the last one behind the end."""
        return next(self.behind(instant), self.segments[-1])

    def behind(self, instant: int) -> Iterator[Segment]:
        """Yield the segments from the one that an instant is in."""
        return (one for one in self.segments if instant < one.end)

    def expected(self, begin: int, end: int) -> float:
        """Return how many records are expected in a stretch."""
        return sum(one.rate * one.length((begin, end)) for one in self.segments)

    def count(self, span: Span, number: int) -> None:
        """Learn how many records a stretch holds."""
        forecast = self.expected(*span)
        off = (number + 1) / (forecast + 1)
        self._miss(forecast, off)
        last: float | None = None
        for segment in self.segments:
            if segment.length(span):
                last = segment.corrected(off)
            elif last and 1 / STEEP < segment.rate / last < STEEP:
                segment.counted, last = last, None
            else:
                last = None
        for sample in self._samples:
            sample.count(span, number)

    def crowded(self, points: Iterable[int], span: Span, total: float) -> None:
        """Learn that a stretch holds more than a page: so many records, about.

        Args:
            points: The instants of some of them.
            span: The stretch.
            total: How many there are, as a guess.
        """
        sample, forecast = _sample(points, span, total), self.expected(*span)
        self._samples.append(sample)
        self._miss(forecast, max(OVERFLOW, len(sample.points) / (forecast + 1)))
        finer, (begin, end) = _segments(sample, span), span
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


def _sample(points: Iterable[int], span: Span, total: float) -> Sample:
    inside = sorted(point for point in points if span[0] <= point < span[1])
    return Sample(inside, total / max(1, len(inside)))


def _segments(sample: Sample, span: Span) -> list[Segment]:
    """Return the segments of a window, from points that stand for so many records."""
    begin, end = span
    borders = [begin, *cuts(sample.points, span), end]
    segments: list[Segment] = []
    for first, last in itertools.pairwise(borders):
        number = sample.within((first, last))
        thin = max(number, 0.5) / (last - first)
        segments.append(Segment(first, last, number, thin, sample))
    return segments
