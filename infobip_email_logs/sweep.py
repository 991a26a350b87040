"""The plan for a window: what to ask next so that it is complete, fed with pages. Pure.

It keeps the stretches of the window that are not complete, and lets each say what follows from
its answer; it knows of the service's clock what the answers tell.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from .chains import CURSOR_DIED, Chain, CursorCheck
from .forward import FILL, Forward
from .models import EmailLog, Gap
from .moments import EVER, MILLISECOND, RETENTION, UNWAITED, instant, number
from .overlap import Item, Record, Seen, beyond, items, seen
from .page_facts import WHOLE_SECOND, Choice, PageFacts, Verdict
from .piles import UNPROVEN, Part
from .query import MAX_LIMIT, LogsQuery
from .scans import Border, Scan
from .stretches import Bearings, Doubtful, Outcome, Sample, Stretch, View, between
from .wire import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .models import LogsPage

EXPIRED = "expired"
"""Why a stretch is a gap: its logs were there when the sweep began, and may not be any more."""

UNKEPT = "the service does not keep the window"
"""Why a stretch is a gap: its full answer holds records of other times."""

AT_RISK = 60_000
"""The milliseconds before its expiry in which a stretch goes first."""

BOTTOM = 300_000
"""The milliseconds of a window that go first, where its end is near to expiry."""

MANY = 4
"""The pages, about, from which on a window is asked for side by side."""

UNKEPT_SHARE = 20
"""One of so many records beyond the window is no sign that the service does not keep it."""

MOST_NEIGHBOURS = 64
"""The stretches whose undated records are remembered, at most."""

FEW = 10


class Undated:
    """Records that do not tell when they were sent, met in stretches that may share them.

    As long as it is not known whether bounds are inclusive, stretches are asked for a millisecond
    wider than they are, and such a record may come with each of its neighbours.

    Attributes:
        doubtful: Whether a record was left out that is like one of a neighbour, and may be another.
    """

    def __init__(self) -> None:
        self._handed: deque[tuple[int, int, Seen]] = deque(maxlen=MOST_NEIGHBOURS)
        self.doubtful = False

    def new(self, asked: LogsQuery, hand: list[Item], facts: PageFacts) -> list[Item]:
        """Return those of the records that are to be handed over that did not come already."""
        self.doubtful = False
        undated = [item for item in hand if item.at is None]
        if not undated or asked.cursor:
            return hand
        low, high = _window(asked)
        low += facts.since_inclusive is False
        high -= facts.until_inclusive is False
        known: Seen = seen([])
        for begin, end, handed in self._handed:
            if begin <= high and low <= end:
                known |= handed
        self._handed.append((low, high, seen(undated)))
        new = beyond(undated, known)
        self.doubtful = len(new) < len(undated)
        return [item for item in hand if item.at is not None] + new


class Sweep:
    """Asks for all logs of a query, however many there are.

    Args:
        query: The query.
        facts: What is known of the service's pages; it is kept up to date.
        cursors: Whether pages tell where the next one begins.
    """

    strategy = "sweep"
    missing: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    def __init__(self, query: LogsQuery, facts: PageFacts, *, cursors: bool = False) -> None:
        self._filters = query.filters
        self._query = attrs.evolve(query, limit=MAX_LIMIT, sent_since=None, sent_until=None)
        self._facts = facts
        self._cursors = cursors
        self._bearings = Bearings()
        self._window = _window(query)
        self._ready: deque[Stretch] = deque([self._stretch(*self._window)])
        self._asked: dict[LogsQuery, Stretch] = {}
        self._undated = Undated()
        self._gaps: list[Gap] = []
        self._met = self._met_in = 0
        self._side_by_side = False

    def _stretch(self, low: int, high: int) -> Scan | Chain:
        kind = Chain if self._cursors else Scan
        return kind(low, high, asked=self._filters.keys())

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""
        self._mind_the_edge()
        for _ in range(len(self._ready)):
            stretch = self._ready.popleft()
            if isinstance(stretch, Scan) and stretch.below:
                stretch.low = stretch.below.at
            query = self._request(stretch)
            if query not in self._asked:
                self._asked[query] = stretch
                return query
            self._ready.append(stretch)  # when the same request is answered
        return None

    def begin(self, asked: LogsQuery) -> None:
        """Take note that the whole was asked for by somebody else; the answer comes next."""
        stretch = self._ready.popleft()
        if isinstance(stretch, Chain):
            stretch.first = asked
        self._asked[asked] = stretch

    def _request(self, stretch: Stretch) -> LogsQuery:
        """Return a request that holds the stretch, however bounds are taken."""
        if isinstance(stretch, Chain) and stretch.first:
            return attrs.evolve(stretch.first, cursor=stretch.cursor)
        if isinstance(stretch, Sample):
            return LogsQuery(limit=self._query.limit)
        query = self._first_request(stretch)
        if isinstance(stretch, Chain):
            stretch.first = query
        return query

    def _first_request(self, stretch: Stretch) -> LogsQuery:
        first, last = self._window
        since = max(first, stretch.low) - (self._facts.since_inclusive is not True)
        until = min(last, stretch.high) + (self._facts.until_inclusive is not True)
        filters: dict[str, Any] = dict(stretch.filters)
        return attrs.evolve(
            self._query,
            sent_since=None if stretch.low == -EVER else instant(since),
            sent_until=None if stretch.high == EVER else instant(until),
            limit=stretch.size or self._query.limit,
            use_cursor=isinstance(stretch, Chain | CursorCheck),
            **filters,
        )

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Learn from an answer; return those of its records that were not handed over."""
        stretch = self._asked.pop(asked)
        self._tell_time(page)
        found = items(page, wanted)
        self._learn_grain(stretch, found)
        view = View(page, found, stretch.low, stretch.high, self._facts, self._bearings)
        outcome = self._outcome(asked, stretch, view)
        hand = self._undated.new(asked, outcome.hand, self._facts)
        if self._undated.doubtful:
            self._gaps.append(self._gap(Doubtful(stretch.low, stretch.high, UNPROVEN)))
        self._gaps.extend(map(self._gap, outcome.gaps))
        self._note_expired(outcome)
        then = outcome.then
        if not isinstance(stretch, Part | Sample):
            self._measure(view)
        if not self._side_by_side and len(then) == 1:
            then = self._spread(then[0], view)
        self._ready.extendleft(reversed(then))
        return [item.record for item in hand if item.wanted]

    def _outcome(self, asked: LogsQuery, stretch: Stretch, view: View) -> Outcome:
        learned = self._learn_bounds(asked, stretch, view)
        if learned and stretch.begins_anew(view) and view.page.size > self._facts.whole:
            return Outcome(then=[stretch])  # it may be full of records that it need not hold
        if page_breaks_window(view.page) and view.verdict is not Verdict.WHOLE:
            return self._unkept(stretch, view)
        if asked.sent_until and self._lost_by_until(number(asked.sent_until), stretch, view):
            return self._unkept(stretch, view)
        return stretch.take_in(view)

    def _lost_by_until(self, until: int, stretch: Stretch, view: View) -> bool:
        """Say whether known records are missing that were sent by ``sentUntil``, and done later.

        Version 1 is not documented to compare it with when a record was sent.
        """
        facts = self._facts
        facts.keeps_until = facts.keeps_until or any(_done_after(until, view.items))
        if facts.keeps_until:
            return False
        known = between(stretch.known, view.low, view.high)
        lost = beyond(known, seen(view.items))
        due = view.verdict is Verdict.WHOLE or self._bearings.choice is Choice.LATEST
        return due and any(_done_after(until, lost))

    def _learn_grain(self, stretch: Stretch, found: list[Item]) -> None:
        """Learn how finely timestamps are told, and let the stretch begin where one can be.

        Where they are told in whole seconds, the service knows better what was sent in the window
        of a query that begins within one.
        """
        self._facts.learn_grain([one.at for one in found if one.at is not None])
        first, grain = self._window[0], self._facts.grain
        if -EVER < stretch.low <= first:
            stretch.low = first // grain * grain

    def _unkept(self, stretch: Stretch, view: View) -> Outcome:
        """Give a stretch up, whose answer holds too much else."""
        low, high = stretch.left
        return Outcome(stretch.new(view), gaps=[Doubtful(low, high, UNKEPT)])

    def _learn_bounds(self, asked: LogsQuery, stretch: Stretch, view: View) -> bool:
        """Learn how bounds act; say whether the answer holds records that it need not hold."""
        facts, since, until = self._facts, asked.sent_since, asked.sent_until
        before = facts.since_inclusive, facts.until_inclusive
        if since and number(since) < stretch.low:
            there = number(since) in view.times
            proven = stretch.record_below and view.page.size < facts.cap
            facts.since_inclusive = _bound(facts.since_inclusive, there=there, proven=proven)
        if until and number(until) > stretch.high:
            there = number(until) in view.times
            proven = stretch.record_above and (
                view.page.size < facts.cap or self._bearings.choice is Choice.LATEST
            )
            facts.until_inclusive = _bound(facts.until_inclusive, there=there, proven=proven)
        after = facts.since_inclusive, facts.until_inclusive
        return after != before and len(view.inside) < len(view.items)

    def _tell_time(self, page: LogsPage) -> None:
        """Take note of the service's clock."""
        if page.date is None:
            return
        now, known = number(page.date), self._bearings
        edge = number(page.date - RETENTION)
        if known.first_edge is None:
            known.first_edge = edge
            if self._window[1] < edge:
                self._gaps.append(self._gap(Doubtful(*self._window, EXPIRED)))
        known.edge = max(edge, known.edge or edge)
        known.ceiling = max(now + WHOLE_SECOND, known.ceiling or 0)

    def _note_expired(self, outcome: Outcome) -> None:
        """Take note of what may have expired before it was asked for."""
        known = self._bearings
        if outcome.covered is None or known.edge is None or known.first_edge is None:
            return
        low, high = outcome.covered
        begin = max(low, known.first_edge)
        end = min(high, known.edge + WHOLE_SECOND)
        if known.first_edge + UNWAITED // MILLISECOND < known.edge and begin <= end:
            self._gaps.append(self._gap(Doubtful(begin, end, EXPIRED)))

    def _gap(self, part: Doubtful) -> Gap:
        filters = {name: (value,) for name, value in part.filters.items()}
        (first, last), grain = self._window, self._facts.grain
        low = max(first, part.low // grain * grain)
        high = min(last, part.high // grain * grain + grain - 1)
        since = None if part.low == -EVER else instant(low)
        until = None if part.high == EVER else instant(high)
        return Gap(since, until, {**self._filters, **filters}, part.why)

    def _measure(self, view: View) -> None:
        """Take note of how dense the records are."""
        if len(view.times) >= FEW:
            self._met += len(view.times)
            self._met_in += view.times[-1] - view.times[0] + 1

    @property
    def _rate(self) -> float:
        """The records of a millisecond, on the average of the pages so far."""
        return self._met / self._met_in if self._met_in else 0.0

    def _spread(self, stretch: Stretch, view: View) -> list[Stretch]:
        """Return a long stretch in two parts, to be asked for side by side."""
        if not isinstance(stretch, Scan | Chain) or len(view.times) < FEW:
            return [stretch]
        if isinstance(stretch, Chain) and not stretch.is_placed:
            return [stretch]
        if isinstance(stretch, Scan) and self._bearings.choice is not Choice.LATEST:
            return [stretch]
        low, high = stretch.left
        begin, end = self._bearings.span(low, high, view.times)
        middle = (begin + end) // 2 // self._facts.grain * self._facts.grain
        if self._rate * (end - begin) < MANY * self._facts.cap or middle <= low:
            return [stretch]
        self._side_by_side = True
        return [stretch, self._below(stretch, middle)]

    def _below(self, stretch: Scan | Chain, border: int) -> Stretch:
        """Take the part of a stretch that is below a millisecond away from it, and return it."""
        other = self._stretch(stretch.low, border - 1)
        other.known = between(stretch.known, other.low, other.high)
        stretch.low = border
        if isinstance(stretch, Chain):
            stretch.narrow = True
        elif isinstance(other, Scan):
            other.above, other.below = Border(border), stretch.below
            stretch.below = other.above
        stretch.known = between(stretch.known, border, stretch.high)
        return other

    def _mind_the_edge(self) -> None:
        """Let what is about to expire go first."""
        edge = self._bearings.edge
        for place, stretch in enumerate(self._ready):
            if edge is None or not isinstance(stretch, Scan | Chain):
                continue
            low = max(stretch.low, edge)
            if low < edge + AT_RISK and self._is_long(stretch, low):
                border = (low + BOTTOM) // self._facts.grain * self._facts.grain
                self._ready.appendleft(self._below(stretch, border))
                return
            if low < edge + AT_RISK and place:
                self._ready.remove(stretch)
                self._ready.appendleft(stretch)
                return

    def _is_long(self, stretch: Scan | Chain, low: int) -> bool:
        """Say whether a stretch takes some time, and goes the wrong way."""
        if isinstance(stretch, Scan) and self._bearings.choice is not Choice.LATEST:
            return False
        if isinstance(stretch, Chain) and not stretch.is_placed:
            return False
        _, end = self._bearings.span(low, stretch.left[1], [])
        return end - low > 2 * BOTTOM and self._rate * (end - low) > 2 * self._facts.cap

    def refused(self, asked: LogsQuery, status: int) -> bool:
        """A request was refused for good: say whether something else is asked for instead."""
        del status
        stretch = self._asked[asked]
        if isinstance(stretch, Part):
            del self._asked[asked]
            self._gaps.extend(map(self._gap, stretch.refused()))
            return True
        if not isinstance(stretch, Chain) or stretch.cursor is None:
            return False
        del self._asked[asked]
        if rest := stretch.rest(self._facts.grain):
            self._ready.appendleft(rest)
        else:
            self._gaps.append(self._gap(Doubtful(*stretch.left, CURSOR_DIED)))
        return True

    def stop(self, why: str) -> None:
        """Ask for nothing any more: what is not complete is a gap."""
        for stretch in (*self._asked.values(), *self._ready):
            low, high = stretch.left
            self._gaps.append(self._gap(Doubtful(low, high, why, stretch.filters)))
        self._ready.clear()
        self._asked.clear()

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask."""
        return not (self._ready or self._asked)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        return tuple(self._gaps)

    @property
    def probing(self) -> bool:
        """Whether nothing is known of the window so far."""
        return self._bearings.first_edge is None and not self._rate and bool(self._ready)

    @property
    def expected(self) -> float:
        """How many further requests are expected, as far as is known by now."""
        return sum(map(self._cost, (*self._asked.values(), *self._ready)))

    def _cost(self, stretch: Stretch) -> float:
        low, high = stretch.left
        begin, end = self._bearings.span(low, high, [])
        if isinstance(stretch, Forward):
            return 1 + stretch.density.expected(begin, end) / (FILL * self._facts.cap)
        return 1 + self._rate * (end - begin) / self._facts.cap


def _done_after(until: int, found: list[Item]) -> Iterator[bool]:
    """Say of records whether they were sent by an instant, and done after it."""
    for one in found:
        done = one.record.done_at if isinstance(one.record, EmailLog) else None
        yield done is not None and one.at is not None and one.at <= until < number(done)


def widened(query: LogsQuery) -> LogsQuery:
    """Return the query with a window that is a millisecond wider at both ends.

    Whether the service's bounds are inclusive is not documented; here they are.
    """
    low, high = _window(query)
    return attrs.evolve(
        query,
        sent_since=query.sent_since and instant(low - 1),
        sent_until=query.sent_until and instant(high + 1),
    )


def _window(query: LogsQuery) -> tuple[int, int]:
    since, until = query.sent_since, query.sent_until
    low = -EVER if since is None else number(timestamps.floor(since))
    high = EVER if until is None else number(timestamps.ceil(until))
    return low, high


def _bound(known: bool | None, *, there: bool, proven: bool) -> bool | None:  # noqa: FBT001
    """Return whether a bound is inclusive: a record at it shows it, or that one is not there."""
    if there:
        return True
    return False if known is None and proven else known


def page_breaks_window(page: LogsPage) -> bool:
    """Say whether too many records of a page are of other times than were asked for."""
    broken = sum(page.contradictions.get(name, 0) for name in ("sent_since", "sent_until"))
    return broken * UNKEPT_SHARE > page.size
