"""The plan for ids: asks for their logs in lists, and learns which ids have none. Pure."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .batches import Batch, Packer, halves
from .lists import ALONE, NOT_ASKED, ListFacts, Reach, reaches
from .models import Gap
from .moments import RETENTION, UNWAITED
from .overlap import Seen, beyond, seen, wanted_items
from .page_facts import PageFacts
from .piles import UNPROVEN
from .plans import full_page
from .query import MAX_LIMIT, LogsQuery, check_id
from .sweep import EXPIRED, Sweep, widened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from .models import EmailLog, LogsPage
    from .overlap import Record

IdField = Literal["message_id", "bulk_id"]

NEAR = timedelta(minutes=10)
"""How near to its expiry a log is a hint that another one of its bulk has expired."""

SECOND = timedelta(seconds=1)

PROBES = 8
"""The ids that are asked for alone, at most, where lists can't be tried out."""

SPOT_CHECK = 2
"""The ids, at most, that a sweep did not find and that are asked for before the others are.

One that it found is asked for beside them: all of its logs should have come.
"""
SAMPLE: Batch = ()
"""The first trial, without ids: the latest logs, whose ids a list is then tried out with."""

TURN = 500
"""The ids that are packed again before the event loop gets its turn."""

OPEN_BATCHES = 16
"""The batches that wait for further ids, at most, while ids come in."""


@attrs.define(eq=False)
class _Batch:
    """A batch with more logs than a page holds.

    Attributes:
        batch: Its ids.
        plan: How all of its logs are had.
        found: The ids that logs came for.
        matching: The ids that logs came for that are wanted.
        clear: Whether silence about an id means something.
        pages: The pages that came so far.
    """

    batch: Batch
    plan: Sweep
    found: set[str | None] = attrs.field(factory=set["str | None"])
    matching: set[str | None] = attrs.field(factory=set["str | None"])
    clear: bool = True
    pages: int = 0


class ByIds:
    """Asks for the logs of ids, packed into lists where a list is taken.

    Whether the service keeps lists of ids is not documented for version 1. So an id without a log
    counts as missing only where a list is shown to work as far as its place in it. Where that is
    not shown by the answers themselves, it is tried out: with a list of ids that have logs, taken
    from the latest ones. What such a list shows not to work is asked for again in shorter lists,
    now and in the client's later calls.

    Args:
        field: Which ids they are.
        query: The other filters of every request.
        facts: What is known of lists; it is kept up to date.
        pages: What is known of pages; it is kept up to date.
        cursors: Whether pages tell where the next one begins.
    """

    strategy = "by_id"

    def __init__(
        self,
        field: IdField,
        query: LogsQuery,
        facts: ListFacts,
        *,
        pages: PageFacts | None = None,
        cursors: bool = False,
    ) -> None:
        self._field = field
        self._plain = query
        self._query = attrs.evolve(widened(query), limit=MAX_LIMIT, use_cursor=cursors)
        self._facts = facts
        self._pages = pages or PageFacts()
        self._cursors = cursors
        self._sizing: LogsQuery | None = None
        self._size_asked: LogsQuery | None = None
        self._doubted: list[tuple[Batch, LogsQuery, LogsPage, Sequence[Record]]] = []
        self._first_edge: datetime | None = None
        self._sweeps: list[_Batch] = []
        self._sweeping: dict[int, tuple[LogsQuery, _Batch]] = {}
        self._packer = self._new_packer()
        self._ready: deque[Batch] = deque()
        self._again: deque[str] = deque()
        self._in_flight = 0
        self._fed = False
        self._doubts = iter((self._ask_for_a_sample, self._ask_in_trusted_lists))
        self._trial: Batch | None = SAMPLE
        self._tried = False
        self._seen: set[str] = set()
        self._missing: dict[str, None] = {}
        self._spot_checked: tuple[str, ...] = ()
        self._spared: tuple[str, ...] = ()
        self._hides = False
        self._undecided: dict[str, Reach] = {}
        self._gaps: list[Gap] = []
        self._nameless: Seen = seen(())
        self._batch_pages: float | None = None

    def _new_packer(self, max_ids: int | None = None, max_length: int | None = None) -> Packer:
        facts = self._facts
        return Packer(
            max_length=max_length or facts.max_length,
            max_ids=max_ids or facts.max_ids,
            max_open=OPEN_BATCHES,
            longest=facts.longest,
        )

    def feed(self, ids: Iterable[object]) -> None:
        """Take ids; those that came before are passed over.

        Raises:
            InvalidInput: One of them can't be an id.
        """
        for one in ids:
            wanted = check_id(one, self._field)
            if wanted not in self._seen:
                self._pack(wanted)
                self._seen.add(wanted)

    def _pack(self, one: str) -> None:
        if batch := self._packer.add(one):
            self._ready.append(batch)
        self._undecided[one] = NOT_ASKED

    def flush(self) -> None:
        """Ask for what is here, though lists might still fill up."""
        self._ready.extend(self._packer.flush())

    def end_of_ids(self) -> None:
        """No ids come any more."""
        self._fed = True
        self.flush()

    @property
    def backlog(self) -> int:
        """The batches that are ready to be asked for."""
        return len(self._ready)

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""
        if self._spared and not self._busy:
            self._ask_spared()
        if self.over:
            self._verify()
        while self._again and not self._ready:
            self._pack_again()
        if self._sizing:
            self._size_asked, self._sizing = self._sizing, None
            return self._size_asked
        for sweep in self._sweeps:
            if query := sweep.plan.take():
                self._sweeping[id(query)] = query, sweep  # two may ask for the same
                return query
        if not self._ready:
            return None
        batch = self._ready.popleft()
        while len(batch) > 1 and batch != self._trial and not self._facts.fits(batch):
            batch, rest = halves(batch)
            self._ready.appendleft(rest)
        self._in_flight += 1
        return self._asking(batch)

    def _asking(self, batch: Batch) -> LogsQuery:
        if batch == self._trial:
            trial: dict[str, Any] = {self._field: batch}
            return LogsQuery(limit=MAX_LIMIT, **trial)
        if self._field == "message_id":
            return attrs.evolve(self._query, message_id=batch)
        return attrs.evolve(self._query, bulk_id=batch)

    def _asked(self, query: LogsQuery) -> Batch:
        return query.message_id if self._field == "message_id" else query.bulk_id

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Learn which ids have logs, and how far lists work."""
        if asked is self._size_asked:
            self._size_asked = None
            return self._settle_doubts(page)
        return self._once(asked, self._learn(asked, page, wanted))

    def _once(self, asked: LogsQuery, new: Sequence[Record]) -> Sequence[Record]:
        """Leave out records without an id that came before: an ignored list brings them anew.

        Two of them that are alike may be two all the same; so that is a gap.
        """
        without = [one for one in new if getattr(one, self._field, "") is None]
        if not without:
            return new
        nameless = wanted_items(without)
        fresh = {id(item.record) for item in beyond(nameless, self._nameless)}
        self._nameless |= seen(nameless)
        if len(fresh) < len(nameless):
            query = self._plain
            filters = {**query.filters, self._field: self._asked(asked)}
            self._gaps.append(Gap(query.sent_since, query.sent_until, filters, UNPROVEN))
        left_out = {id(item.record) for item in nameless} - fresh
        return [record for record in new if id(record) not in left_out]

    def _learn(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        if begun := self._sweeping.pop(id(asked), None):
            return self._follow(begun[1], asked, page, wanted)
        self._in_flight -= 1
        batch = self._asked(asked)
        if batch == self._trial:
            self._take_trial(batch, page)
            return ()
        kept = self._field not in page.contradictions
        self._note_expiry(page)
        if page.full and kept:
            return self._begin(batch, asked, page, wanted)
        if self._is_doubtful(batch, page):
            return self._doubt(batch, asked, page, wanted)
        return self._take_in(batch, page, wanted, kept=kept)

    def _take_in(
        self, batch: Batch, page: LogsPage, wanted: Sequence[Record], *, kept: bool
    ) -> Sequence[Record]:
        """Learn from the one page of a batch."""
        if page.full:
            self._gaps.append(full_page(self._asking(batch)))
        found = self._ids(page.logs)
        if kept:
            self._facts.learn(batch, [at for at, one in enumerate(batch, 1) if one in found])
        self._hides |= kept and None in found
        told = not page.rejects and None not in found and not _hides_time(page)
        clear = kept and told and not page.full
        self._note(batch, found, self._ids(wanted), clear=clear, full=page.full)
        return wanted

    def _is_doubtful(self, batch: Batch, page: LogsPage) -> bool:
        """Say whether a page that is not full may have been cut by the service without a word.

        A message has one log, as a rule: a list of messages is whole where each has come once.
        """
        if page.size <= self._pages.whole or self._pages.names_next:
            return False
        found = self._ids(page.logs)
        return self._field == "bulk_id" or not page.size == len(batch) == len(found)

    def _doubt(
        self, batch: Batch, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Keep a page until the latest logs of all show how large pages are, or are followed."""
        if not self._doubted:
            self._sizing = LogsQuery(
                limit=1 if self._cursors else MAX_LIMIT, use_cursor=self._cursors
            )
        self._doubted.append((batch, asked, page, wanted))
        return ()

    def _settle_doubts(self, sample: LogsPage) -> Sequence[Record]:
        """Take the pages that were kept for whole where a larger one was seen; ask for less else.

        In version 4 they are whole if the service keeps cursors: a sample of one names a next page.
        """
        if self._cursors:
            self._pages.names_next = sample.next_cursor is not None
        else:
            self._pages.note(sample.size)
        doubted, self._doubted = self._doubted, []
        new: list[Record] = []
        for batch, asked, page, wanted in doubted:
            kept = self._field not in page.contradictions
            whole = page.size <= self._pages.whole or self._pages.names_next
            if whole or not kept:
                new.extend(self._take_in(batch, page, wanted, kept=kept))
                self._gaps.extend([] if whole else [full_page(asked)])
            elif self._field == "message_id" and len(batch) > 1:
                self._ready.extendleft(reversed(halves(batch)))
            else:
                new.extend(self._begin(batch, asked, page, wanted))
        return new

    def _note_expiry(self, page: LogsPage) -> None:
        """Take note of logs that may have expired while others were asked for.

        That is told of ids whose oldest log that came is next to expire.
        """
        if page.date is None:
            return
        edge, until = page.date - RETENTION, self._plain.sent_until
        if self._first_edge is None and until and until < edge:
            self._gaps.append(Gap(self._plain.sent_since, until, self._plain.filters, EXPIRED))
        self._first_edge = self._first_edge or edge
        if edge - self._first_edge <= UNWAITED:
            return
        told = {getattr(log, self._field) for log in page.logs if _is_old(log, edge)}
        if ids := tuple(sorted(one for one in told if isinstance(one, str))):
            filters = {**self._plain.filters, self._field: ids}
            since = max(filter(None, (self._plain.sent_since, self._first_edge)))
            self._gaps.append(Gap(since, edge + SECOND, filters, EXPIRED))

    def _ids(self, records: Iterable[Record]) -> set[str | None]:
        return {getattr(record, self._field, None) for record in records}

    def _note(
        self,
        batch: Batch,
        found: set[str | None],
        matching: set[str | None],
        *,
        clear: bool,
        full: bool = False,
    ) -> None:
        """Take note of which ids of a batch have logs.

        Args:
            batch: The ids.
            found: Those that logs came for.
            matching: Those that logs came for that are wanted.
            clear: Whether silence about an id means something.
            full: Whether logs are missing.
        """
        for one, reach in zip(batch, reaches(batch), strict=True):
            if one in matching:
                self._undecided.pop(one, None)
            elif one in found and not full:
                self._note_absent(one, ALONE)  # it has a log, but none that is wanted
            elif clear and one in self._undecided:
                self._note_absent(one, reach)

    def _begin(
        self, batch: Batch, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Go through the logs of a batch, of which there are more than a page holds."""
        ids: dict[str, Any] = {self._field: batch}
        query = attrs.evolve(self._plain, **ids)
        sweep = _Batch(batch, Sweep(query, self._pages, cursors=self._cursors))
        sweep.plan.begin(asked)
        self._sweeps.append(sweep)
        if self._cursors and page.logs:  # the latest bulks are on it, and the others are as large
            self._batch_pages = max(1.0, len(batch) / len(self._ids(page.logs)))
        return self._follow(sweep, asked, page, wanted)

    def _follow(
        self, sweep: _Batch, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Learn from a page of a batch that has several."""
        new = sweep.plan.answer(asked, page, wanted)
        sweep.pages += 1
        self._hides |= None in self._ids(page.logs)
        sweep.clear &= not page.rejects and self._field not in page.contradictions
        sweep.found |= self._ids(page.logs)
        sweep.matching |= self._ids(wanted)
        self._finish(sweep)
        return new

    def _finish(self, sweep: _Batch) -> None:
        """Take note of what a batch with several pages showed, when it is at its end."""
        if not sweep.plan.over:
            return
        self._sweeps.remove(sweep)
        self._gaps.extend(sweep.plan.gaps)
        places = [at for at, one in enumerate(sweep.batch, 1) if one in sweep.found]
        self._facts.learn(sweep.batch, places)
        clear = sweep.clear and not sweep.plan.gaps and None not in sweep.found
        self._note(sweep.batch, sweep.found, sweep.matching, clear=clear)

    def _note_absent(self, one: str, reach: Reach) -> None:
        """No log came for an id: it has none if lists are kept as far as that."""
        if self._facts.trust(reach):
            self._undecided.pop(one, None)
            self._missing[one] = None
        else:
            self._undecided[one] = reach

    def _doubtful(self) -> list[str]:
        """Return the ids that were asked for in lists longer than is shown to work."""
        return [one for one, reach in self._undecided.items() if not self._facts.trust(reach)]

    def _verify(self) -> None:
        """Take the next step where lists that may not work were silent about ids."""
        for one, reach in list(self._undecided.items()):
            if reach != NOT_ASKED and self._facts.trust(reach):
                self._note_absent(one, reach)
        doubtful = self._doubtful()
        step = next(self._doubts, None) if doubtful else None
        if step:
            step(doubtful)

    def _ask_for_a_sample(self, doubtful: list[str]) -> None:
        """Prepare to try a list out, unless one list that can be trusted is enough."""
        if 1 < self._facts.trusted[0] >= len(doubtful):
            self._ask_in_trusted_lists(doubtful)
        else:
            self._ready.append(SAMPLE)

    def _take_trial(self, batch: Batch, page: LogsPage) -> None:
        """Learn from an answer that was asked for without the filters, only to learn from it."""
        found = self._ids(page.logs)
        self._trial = None  # a list that is asked for in earnest may be the same
        if batch == SAMPLE:
            self._try_out(page, [one for one in found if isinstance(one, str) and "," not in one])
            return
        self._tried = True
        if self._field not in page.contradictions:
            self._facts.learn(batch, [at for at, one in enumerate(batch, 1) if one in found])
        if batch[-1] not in found:
            self._facts.distrust()
        late = [one for one in batch if one in found and one in self._undecided]
        self._ask_again(late, self._new_packer())

    def _try_out(self, page: LogsPage, known: list[str]) -> None:
        """Ask for a list of ids that have logs; where there is no log at all, none is missed."""
        if not page.size:
            for one in self._doubtful():
                self._note_absent(one, ALONE)
            return
        self._set_trial(self._long_enough(tuple(sorted(known))))

    def _set_trial(self, batch: Batch) -> None:
        """Ask for a list next, only to learn from it; one id is none."""
        self._trial = batch if len(batch) > 1 else None
        self._ready.extendleft([batch] if self._trial else [])

    def _long_enough(self, known: Batch) -> Batch:
        """Return as many ids as make a list that reaches as far as the lists in doubt."""
        wanted = [self._undecided[one] for one in self._doubtful()]
        most, longest = (max(sizes) for sizes in zip(*wanted, strict=True))
        for place, reach in enumerate(reaches(known), 1):
            if reach[0] > self._facts.max_ids or reach[1] > self._facts.max_length:
                return known[: place - 1]
            if reach[0] >= most and reach[1] >= longest:
                return known[:place]
        return known

    def _ask_in_trusted_lists(self, doubtful: list[str]) -> None:
        ids, length = self._facts.trusted
        known = ids > 1 or self._tried  # else nothing is known of lists at all
        again = doubtful if known else doubtful[:PROBES]
        self._ask_again(again, self._new_packer(ids, length))

    def _ask_again(self, ids: Iterable[str], packer: Packer) -> None:
        self._packer = packer
        self._again.extend(ids)

    def _pack_again(self) -> None:
        """Pack some of the ids that are asked for again."""
        for _ in range(min(TURN, len(self._again))):
            self._pack(self._again.popleft())
        if not self._again:
            self.flush()

    def refused(self, asked: LogsQuery, status: int) -> bool:
        """Ask for less where the service found the URL too long."""
        if begun := self._sweeping.get(id(asked)):
            _, sweep = begun
            if not sweep.plan.refused(asked, status):
                return False
            del self._sweeping[id(asked)]
            self._finish(sweep)
            return True
        return status == HTTPStatus.REQUEST_URI_TOO_LONG and self.too_long(asked)

    def too_long(self, asked: LogsQuery) -> bool:
        """Ask for the halves of a list that is too long, and remember its length."""
        batch = self._asked(asked)
        if len(batch) == 1:
            return False
        self._in_flight -= 1
        self._facts.shorten(batch)
        if batch == self._trial:  # its ids are nobody's: a shorter trial, or none
            self._set_trial(halves(batch)[0])
        else:
            self._ready.extendleft(reversed(halves(batch)))
        return True

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, nor to be fed; asked after :meth:`take` gave nothing."""
        return self._fed and not (self._busy or self._spared)

    @property
    def _busy(self) -> bool:
        left = self._in_flight or self._ready or self._again or self._sweeps or self._doubted
        return bool(left)

    @property
    def ids(self) -> Collection[str]:
        """The ids that were fed."""
        return self._seen

    def conclude(self, found: Collection[str], *, ask: int | None) -> None:
        """Ask no more for ids whose logs were found otherwise, nor for those that have none.

        Args:
            found: The ids with logs.
            ask: How many of the others are asked for first, beside one that has logs; all without.
                Should the answers show that the sweep did not see everything, all are asked for;
                else the others have no log.
        """
        known = tuple(one for one in self._undecided if one in found)
        rest = tuple(one for one in self._undecided if one not in found)
        self._ready.clear()
        self._again.clear()
        self._undecided = dict.fromkeys(rest, NOT_ASKED)
        first = known[: 1 if ask else None] if ask != 0 else ()
        self._spot_checked = rest[:ask]
        self._spared = (*rest[len(self._spot_checked) :], *known[len(first) :])
        self._ask_again((*first, *self._spot_checked), self._new_packer())

    def _ask_spared(self) -> None:
        """Ask for all that a sweep left, unless it was right so far."""
        spared, self._spared = self._spared, ()
        if self._hides or not self._missing.keys() >= {*self._spot_checked}:
            self._ask_again(spared, self._new_packer())
            return
        for one in spared:
            if one in self._undecided:
                self._note_absent(one, ALONE)

    def stop(self, why: str) -> None:
        """Ask for nothing any more: undecided ids, and logs that were not read, are gaps."""
        for sweep in self._sweeps:
            sweep.plan.stop(why)
            self._gaps.extend(sweep.plan.gaps)
        begun = {one for sweep in self._sweeps for one in sweep.matching}
        if left := tuple(one for one in self._undecided if one not in begun):
            query = self._plain
            filters = {**query.filters, self._field: left}
            self._gaps.append(Gap(query.sent_since, query.sent_until, filters, why))
        if not self._fed:
            query = self._plain
            self._gaps.append(Gap(query.sent_since, query.sent_until, query.filters, why))
        self._spared = ()
        self._sweeps.clear()
        self._sweeping.clear()
        self._doubted.clear()
        self._ready.clear()
        self._again.clear()
        self._in_flight, self._fed = 0, True
        self._doubts = iter(())

    @property
    def probing(self) -> bool:
        """Whether the next request tells how many pages a batch has; each has one otherwise."""
        several = self._cursors and self._field == "bulk_id"
        return several and self._batch_pages is None and bool(self._ready)

    @property
    def expected(self) -> float:
        """How many further requests are expected, as far as is known by now."""
        again = -(-len(self._again) // max(1, self._facts.max_ids))
        sweeps = sum(self._pages_left(sweep) for sweep in self._sweeps)
        batches = (self._in_flight + len(self._ready)) * (self._batch_pages or 1.0)
        return batches + again + sweeps

    def _pages_left(self, sweep: _Batch) -> float:
        if self._batch_pages is None:
            return sweep.plan.expected
        return max(1.0, self._batch_pages - sweep.pages)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        told = {one for gap in self._gaps for one in gap.filters.get(self._field, ())}
        silent = len(self._undecided.keys() - told)
        if not silent or not self.over:
            return tuple(self._gaps)
        query = self._query
        why = f"{silent} unconfirmed ids"
        return (*self._gaps, Gap(query.sent_since, query.sent_until, query.filters, why))

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids that have no log."""
        return tuple(self._missing)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The ids that no log came for, though there may be one."""
        return tuple(self._undecided)


def _hides_time(page: LogsPage) -> bool:
    """Say whether a log was left out that does not tell when it was sent."""
    return any(log.sent_at is None for log in page.left_out)


def _is_old(record: EmailLog, edge: datetime) -> bool:
    return record.sent_at is not None and record.sent_at < edge + NEAR
