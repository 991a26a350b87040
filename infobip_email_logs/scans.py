"""A window from its latest records on, or from its earliest, page by page. Pure.

Where a full page holds the latest records that match, nothing is missing behind its oldest one,
and the rest is asked for from there. That this is so is checked, not believed: once by asking
again for the page's own stretch, which proves itself by not being full, and then wherever two
pages meet.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from .forward import forward
from .moments import EVER
from .overlap import Item, beyond, seen
from .page_facts import Choice, Verdict
from .piles import pile
from .stretches import Doubt, Outcome, Sample, Stretch, View, between

OVERLAP = 4
"""The records of a page, about, that the next one has to repeat."""

LATE = 20
"""One of so many records may have appeared meanwhile, before a page counts as contradicted."""


@attrs.define
class Border:
    """Where two stretches meet that are gone through downwards, side by side.

    The lower one begins with a page that nothing above it vouches for. So the upper one goes down
    to the latest record of that page, instead of the place where the two were parted.

    Attributes:
        at: The first millisecond of the upper stretch.
        reached: Whether the upper stretch is at its end.
    """

    at: int
    reached: bool = False


@attrs.define(eq=False)
class Scan(Stretch):
    """A stretch that is continued where its page ends.

    Attributes:
        asked: The fields that the query filters by.
        floor: Where the page before ended: what is known reaches that far without a hole.
        doubt: The page that may have been cut, of which this is a part.
        below: Where the stretch below it begins.
        above: Where the stretch above it ends.
    """

    asked: Collection[str] = attrs.field(kw_only=True)
    floor: int | None = None
    doubt: Doubt | None = None
    below: Border | None = None
    above: Border | None = None

    def take_in(self, view: View) -> Outcome:
        """Take a page that is not full for the whole, and continue where a full one ends."""
        if view.verdict is Verdict.WHOLE:
            return self._whole(view)
        if not view.times or (view.unplaced and view.verdict is Verdict.FULL):
            return self.in_pieces(view)
        if view.verdict is Verdict.DOUBTFUL and not (self.doubt or self._is_everything):
            return Outcome(then=[Sample(self.low, self.high, of=self, first=view)])
        if view.verdict is Verdict.DOUBTFUL:
            return self._halve(view)
        return self._full(view)

    @property
    def _is_everything(self) -> bool:
        return (self.low, self.high) == (-EVER, EVER) and not self.asked

    def sampled(self, first: View, *, whole: bool) -> Outcome:
        """Take a page for the whole where a larger one was seen; else ask for its parts."""
        return self._whole(first) if whole else self._halve(first)

    def _full(self, view: View) -> Outcome:
        """Go on as fits the records that a full page holds; a first page is checked."""
        choice = view.bearings.choice
        if choice is Choice.OTHER:
            return self.in_pieces(view)
        if choice is Choice.LATEST and self.above and view.facts.grain == 1:
            return self._reach_up(view, self.above)
        if choice is Choice.UNKNOWN or self.floor is None:
            return check(self, view)
        return self._follow(view, +1 if choice is Choice.LATEST else -1)

    def _reach_up(self, view: View, border: Border) -> Outcome:
        """Let the stretch above go down to the first page, and continue where the page ends."""
        latest = max((at for at in view.times if at <= self.high), default=self.low)
        outcome = self._follow(view, +1)
        if outcome.covered is None:
            return outcome
        if not border.reached:
            border.at = min(border.at, latest + 1)
            return outcome
        if latest == self.high:
            return outcome
        known = between(self.known, latest + 1, self.high)
        between_both = Scan(latest + 1, self.high, known, record_below=True, asked=self.asked)
        return attrs.evolve(outcome, then=[*outcome.then, between_both])

    def _whole(self, view: View) -> Outcome:
        if self.doubt:
            self.doubt.settle(len(view.inside), view.facts)
        return Outcome(self.new(view), self.close(), covered=(self.low, self.high))

    def close(self) -> list[Stretch]:
        """Go no further down than was asked for: return what the stretch below leaves to this."""
        border, self.below = self.below, None
        if not border:
            return []
        border.reached = True
        if border.at >= self.low:
            return []
        return [Scan(border.at, self.low - 1, record_below=True, asked=self.asked)]

    def in_pieces(self, view: View) -> Outcome:
        """Go through the stretch in pieces."""
        window = (self.low, self.high)
        piece = forward(window, view, known=self.known, points=view.items, asked=self.asked)
        return Outcome(then=[piece, *self.close()])

    def _halve(self, view: View) -> Outcome:
        """Ask for two parts of a page that may have been cut without a word."""
        grain = view.facts.grain
        first, last = (view.times[at] // grain * grain for at in (0, -1))
        if first == last and not view.unplaced:
            last += grain - 1
            doubt = Doubt(view.page.size, len(view.inside), parts=1)
            around = self._parts((self.low, first - 1), (last + 1, self.high), doubt)
            doubt.parts += len(around)
            at = attrs.evolve(self, low=first, high=last)
            outcome = pile(at, view, self.asked, doubt=doubt, sampled=True)
            then = [*outcome.then, *around, *self.close()]
            return attrs.evolve(outcome, then=then, covered=(first, last))
        middle = view.times[len(view.times) // 2] // grain * grain
        border = middle if middle > first else middle + grain
        doubt = Doubt(view.page.size, len(view.inside))
        parts = self._parts((self.low, border - 1), (border, self.high), doubt)
        return Outcome(then=[*parts, *self.close()])

    def _parts(self, lower: tuple[int, int], upper: tuple[int, int], doubt: Doubt) -> list[Stretch]:
        windows = [(low, high) for low, high in (lower, upper) if low <= high]
        return [
            Scan(low, high, between(self.known, low, high), asked=self.asked, doubt=doubt)
            for low, high in windows
        ]

    def _follow(self, view: View, sign: int) -> Outcome:
        """Hand over a page, and continue where it ends: downwards, or upwards with sign -1."""
        if self.contradicted(view, sign):
            view.bearings.choice = Choice.UNKNOWN
            return self.in_pieces(view)
        times = view.times if sign > 0 else [-at for at in reversed(view.times)]
        end = times[0]
        if times[-1] == end:
            return self._pile(view, sign)
        cut = times[min(OVERLAP, len(times) - 1)]
        cut = end if cut == times[-1] else cut
        border = sign * next(at for at in times if at > cut)
        rest = self.beyond_border(border, view.facts.grain, sign)
        if not self.low <= rest.low <= rest.high <= self.high or rest.width >= self.width:
            return self.in_pieces(view)
        rest.known = between(view.inside, rest.low, rest.high)
        rest.floor = sign * end
        covered = (rest.high + 1, self.high) if sign > 0 else (self.low, rest.low - 1)
        return Outcome(self.new(view), [rest], covered)

    @property
    def width(self) -> int:
        """The milliseconds of the stretch."""
        return self.high - self.low + 1

    def beyond_border(self, border: int, grain: int, sign: int) -> Scan:
        """Return the rest of the stretch on the far side of a known record."""
        if sign > 0:
            high = border // grain * grain - 1
            return Scan(self.low, high, record_above=grain == 1, asked=self.asked, below=self.below)
        low = border // grain * grain + grain
        return Scan(low, self.high, record_below=grain == 1, asked=self.asked)

    def _pile(self, view: View, sign: int) -> Outcome:
        """Split a millisecond that fills a page by itself, and go on behind it."""
        grain = view.facts.grain
        low = view.times[0] // grain * grain
        outcome = pile(attrs.evolve(self, low=low, high=low + grain - 1), view, self.asked)
        rest = self.beyond_border(low, grain, sign)
        rest.record_above = rest.record_below = False
        covered = (low, self.high) if sign > 0 else (self.low, low + grain - 1)
        behind = [rest] if rest.low <= rest.high else []
        return attrs.evolve(outcome, then=[*outcome.then, *behind], covered=covered)

    def contradicted(self, view: View, sign: int) -> bool:
        """Say whether a page can't hold the latest records: what is known must be in it."""
        lost = beyond(self.known, seen(view.items))
        edge = view.bearings.edge
        if any(one.at is not None and (edge is None or one.at >= edge) for one in lost):
            return True
        if not self.known or self.floor is None:
            return False
        new, floor = self.new(view), sign * self.floor
        return any(one.at is not None and sign * one.at > floor for one in new)


def check(scan: Scan, view: View) -> Outcome:
    """Hand over the first full page, and ask for its own stretch again.

    If it holds the latest records that match, there is no more in it than it showed: its stretch,
    without its last few records, is not full then, and so proven.
    """
    known = [*view.inside, *beyond(scan.known, seen(view.inside))]
    near = Check(scan.low, scan.high, scan=scan, first=known, times=view.times, sign=+1)
    near.begin(view)
    if not near.is_telling:
        return scan.in_pieces(view)
    return Outcome(scan.new(view), [near, *scan.close()])


@attrs.define(eq=False)
class Check(Stretch):
    """The stretch of the first page once more, but for its end.

    Attributes:
        scan: What the page was the answer to.
        first: Its records.
        times: When its records were sent, those beyond the stretch too.
        sign: +1 to check that it holds the latest records, -1 for the earliest.
        border: Where the page without its end ends.
    """

    scan: Scan = attrs.field(kw_only=True)
    first: list[Item] = attrs.field(kw_only=True)
    times: list[int] = attrs.field(kw_only=True)
    sign: int = attrs.field(kw_only=True)
    border: int = 0

    @property
    def left(self) -> tuple[int, int]:
        """The whole stretch: nothing is proven before this."""
        return self.scan.left

    def begin(self, view: View) -> None:
        """Set the stretch that is asked for."""
        grain = view.facts.grain
        times = self.times if self.sign > 0 else self.times[::-1]
        few = min(max(OVERLAP, view.facts.cap // 50), len(times) - 1)
        self.border = times[few] if times[few] != times[-1] else times[0]
        if self.sign > 0:
            self.low = self.border // grain * grain + grain
        else:
            self.high = self.border // grain * grain - 1
        self.known = between(self.first, self.low, self.high)
        self.record_below, self.record_above = self.sign > 0, self.sign < 0

    @property
    def is_telling(self) -> bool:
        """Whether it holds so many of the records that no other page would look alike."""
        return self.low <= self.high and 2 * len(self.known) >= len(self.first)

    def take_in(self, view: View) -> Outcome:
        """Continue behind the page if it is confirmed; else go through everything in pieces."""
        if view.verdict is Verdict.FULL:
            return self._refuted(view)
        confirmed = self._confirmed(view)
        view.bearings.choice = self._choice if confirmed else Choice.OTHER
        low, high = self._rest()
        hand, covered = self.new(view), (self.low, self.high)
        if low > high:
            return Outcome(hand, covered=covered)
        known = between(self.first, low, high)
        if not confirmed:
            points = [*self.first, *view.items]
            rest = forward((low, high), view, known=known, points=points, asked=self.scan.asked)
            return Outcome(hand, [rest], covered)
        floor = self.times[0] if self.sign > 0 else self.times[-1]
        return Outcome(hand, [Scan(low, high, known, asked=self.scan.asked, floor=floor)], covered)

    @property
    def _choice(self) -> Choice:
        return Choice.LATEST if self.sign > 0 else Choice.EARLIEST

    def _rest(self) -> tuple[int, int]:
        if self.sign > 0:
            return self.scan.low, self.low - 1
        return self.high + 1, self.scan.high

    def _confirmed(self, view: View) -> bool:
        """Say whether the page showed what there is in its stretch, but for late records."""
        reach = self.times[-1] if self.sign > 0 else self.times[0]
        new = [one for one in self.new(view) if one.at is not None]
        strange = [one for one in new if self.sign * one.at <= self.sign * reach]  # type: ignore[operator]
        lost = beyond(self.known, seen(view.items))
        return max(len(strange), len(lost)) * LATE <= len(self.known)

    def _refuted(self, view: View) -> Outcome:
        """Look at the other end, if the two pages may be the earliest ones; else give it up."""
        if self.sign > 0 and self._may_be_earliest(view):
            far = attrs.evolve(self, low=self.scan.low, high=self.scan.high, sign=-1)
            far.begin(view)
            if far.is_telling:
                return Outcome(then=[far])
        view.bearings.choice = Choice.OTHER
        points = [*self.first, *view.items]
        window = (self.scan.low, self.scan.high)
        rest = forward(window, view, known=self.first, points=points, asked=self.scan.asked)
        return Outcome(then=[rest])

    def _may_be_earliest(self, view: View) -> bool:
        """Say whether the second page begins with the end of the first, without a hole."""
        lost = beyond(self.known, seen(view.items))
        new = [one for one in self.new(view) if one.at is not None and one.at < self.times[-1]]
        return len(lost) + len(new) <= len(self.first) // LATE
