"""What to ask, one request after the other, and what the answers prove. Pure: no I/O, no clock.

A plan is fed with ids and with answers; it says what to ask next, and in the end which ids have
no log and which stretches are not proven to be complete.
"""

from __future__ import annotations

import random
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from .batches import MAX_LENGTH, Batch, Packer, halves, joined_length
from .models import Gap
from .query import MAX_LIMIT, check_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .models import EmailLog, LogsPage
    from .query import LogsQuery

SHORTEST_LISTS = 100
"""The characters of a list, at least, that a client does not learn to stay below."""

IdField = Literal["message_id", "bulk_id"]

PROBES = 8
"""The further requests, about, by which it is learned whether long lists of ids are kept."""

KNOWN = 20
"""The ids that have a log and are remembered, to try out a list with, at most."""

TURN = 500
"""The ids that are packed again before the event loop gets its turn."""

OPEN_BATCHES = 16
"""The batches that wait for further ids, at most, while ids come in."""


class Plan(Protocol):
    """Says what to ask next, fed with what came back."""

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""

    def answer(self, asked: LogsQuery, page: LogsPage) -> Sequence[EmailLog]:
        """Learn from an answer; return those of its logs that were not handed over before."""
        ...  # pragma: no cover - a protocol's body never runs

    def too_long(self, asked: LogsQuery) -> bool:
        """The service found the URL too long: say whether it is asked again in parts."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, nor to be fed; asked after :meth:`take` gave nothing."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids that have no log."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The ids that no log came for, though there may be one."""
        ...  # pragma: no cover - a protocol's body never runs


def full_page(asked: LogsQuery) -> Gap:
    """Return the gap that a full page leaves."""
    return Gap(asked.sent_since, asked.sent_until, asked.filters, "full page")


class OneRequest:
    """A query that is asked once. A full page is a gap."""

    missing: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    def __init__(self, query: LogsQuery) -> None:
        self._query: LogsQuery | None = attrs.evolve(query, limit=MAX_LIMIT)
        self.gaps: tuple[Gap, ...] = ()
        self.over = False

    def take(self) -> LogsQuery | None:
        """Return the one request, once."""
        query, self._query = self._query, None
        return query

    def answer(self, asked: LogsQuery, page: LogsPage) -> Sequence[EmailLog]:
        """Take the answer for the whole, unless it is full."""
        self.over = True
        if page.full:
            self.gaps = (full_page(asked),)
        return page.logs

    def too_long(self, asked: LogsQuery) -> bool:
        """Nothing can be split here."""
        del asked
        return False


Reach = tuple[int, int]
"""How long a list is up to one of its ids: ids, and characters."""

NOT_ASKED: Reach = (0, 0)
ALONE: Reach = (1, 0)


@attrs.define
class ListFacts:
    """What the service has shown about lists of ids; a client remembers it between its calls.

    Attributes:
        max_length: The characters of a list that it takes, as far as is known.
        max_ids: The ids of a list that it takes, as far as is known.
        longest: The characters of an id, at most.
        trusted: The reach of the longest lists of which an id at the end was answered beside
            another one. A single id is documented, and needs no proof.
    """

    max_length: int = MAX_LENGTH
    max_ids: int = MAX_LIMIT - 1  # so that one log an id leaves the page short of full
    longest: int = MAX_LENGTH
    trusted: Reach = ALONE

    def learn(self, batch: Batch, places: Sequence[int]) -> None:
        """Take note of the places of a list that were answered, counted from 1."""
        if len(places) > 1:
            ids, length = self.trusted
            last = places[-1]
            self.trusted = (max(ids, last), max(length, joined_length(batch[:last])))

    def trust(self, reach: Reach) -> bool:
        """Say whether a list is kept as far as that."""
        return reach[0] <= self.trusted[0] and reach[1] <= self.trusted[1]


def reaches(batch: Batch) -> list[Reach]:
    """Return for each id of a batch how far its list must be kept for silence to count."""
    if len(batch) == 1:
        return [ALONE]
    ends = accumulate(joined_length((one,)) + 1 for one in batch)
    return [(max(place, 2), end - 1) for place, end in enumerate(ends, 1)]


class ByIds:
    """Asks for the logs of ids, packed into lists where a list is taken.

    Whether the service keeps lists of ids is not documented for version 1. So an id without a log
    counts as missing only where a list is shown to work as far as its place in it. Others are
    asked for again, in shorter lists that can be trusted or alone: some at first. Where one of
    these then has a log, a list with it is tried out: is it not kept, all others are asked for in
    short lists, now and in the client's later calls; is it kept, the log was late, and all others
    are asked for again.

    Args:
        field: Which ids they are.
        query: The other filters of every request.
        facts: What is known of lists; it is kept up to date.
    """

    def __init__(self, field: IdField, query: LogsQuery, facts: ListFacts) -> None:
        self._field = field
        self._query = attrs.evolve(query, limit=MAX_LIMIT)
        self._facts = facts
        self._packer = self._new_packer()
        self._ready: deque[Batch] = deque()
        self._again: deque[str] = deque()
        self._in_flight = 0
        self._fed = False
        self._probes_left = PROBES
        self._probing: set[str] = set()
        self._trial: Batch = ()
        self._known: dict[str, None] = {}
        self._chance = random.Random(0)  # noqa: S311 - a sample that is the same every time
        self._seen: set[str] = set()
        self._missing: dict[str, None] = {}
        self._undecided: dict[str, Reach] = {}
        self._gaps: list[Gap] = []

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
        if self.over:
            self._verify()
        while self._again and not self._ready:
            self._pack_again()
        if not self._ready:
            return None
        batch = self._ready.popleft()
        while len(batch) > 1 and batch != self._trial and not self._fits(batch):
            batch, rest = halves(batch)
            self._ready.appendleft(rest)
        self._in_flight += 1
        return self._asking(batch)

    def _fits(self, batch: Batch) -> bool:
        return len(batch) <= self._facts.max_ids and joined_length(batch) <= self._facts.max_length

    def _asking(self, batch: Batch) -> LogsQuery:
        if self._field == "message_id":
            return attrs.evolve(self._query, message_id=batch)
        return attrs.evolve(self._query, bulk_id=batch)

    def _asked(self, query: LogsQuery) -> Batch:
        return query.message_id if self._field == "message_id" else query.bulk_id

    def answer(self, asked: LogsQuery, page: LogsPage) -> Sequence[EmailLog]:
        """Learn which ids have logs, and how far lists work."""
        self._in_flight -= 1
        batch = self._asked(asked)
        new = self._new_in(batch, page)
        found = {getattr(log, self._field) for log in page.logs}
        kept = self._field not in page.contradictions
        if kept:
            self._facts.learn(batch, [at for at, one in enumerate(batch, 1) if one in found])
        if page.full:
            self._gaps.append(full_page(asked))
        clear = kept and not page.full and not page.rejects and None not in found
        surprises = self._probing.intersection(found)
        self._probing.difference_update(batch)
        for one, reach in zip(batch, reaches(batch), strict=True):
            if one in found:
                self._note_found(one)
            elif clear and one in self._undecided:
                self._note_absent(one, reach)
        if batch == self._trial:
            self._judge(kept=found.issuperset(batch[-1:]))
        elif surprises and not self._trial:
            self._try_out(min(surprises))
        return new

    def _new_in(self, batch: Batch, page: LogsPage) -> Sequence[EmailLog]:
        """Return the logs that were not handed over before: a trial asks for known ids again."""
        if batch != self._trial:
            return page.logs
        return [log for log in page.logs if getattr(log, self._field) in self._undecided]

    def _note_found(self, one: str) -> None:
        self._undecided.pop(one, None)
        self._missing.pop(one, None)
        if len(self._known) < KNOWN:
            self._known[one] = None

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
        """Ask again, in lists that can be trusted, where longer ones were silent about ids."""
        for one, reach in list(self._undecided.items()):
            if reach != NOT_ASKED and self._facts.trust(reach):
                self._note_absent(one, reach)
        if (doubtful := self._doubtful()) and self._probes_left:
            ids, length = self._facts.trusted
            count = min(self._probes_left * ids, len(doubtful))
            self._probes_left = 0
            probes = self._chance.sample(doubtful, count)
            self._probing.update(probes)
            self._ask_again(probes, self._new_packer(ids, length))

    def _try_out(self, late: str) -> None:
        """Ask for an id in a list whose other ids have logs, where another list was silent."""
        others = [one for one in self._known if one != late] or self._doubtful()[:1]
        self._trial = (*others, late)
        self._ready.appendleft(self._trial)

    def _judge(self, *, kept: bool) -> None:
        """A list was tried out: ask again for all that longer lists were silent about."""
        if not kept:
            self._facts.max_ids = min(self._facts.max_ids, self._facts.trusted[0])
        self._ask_again(self._doubtful(), self._new_packer())

    def _ask_again(self, ids: Iterable[str], packer: Packer) -> None:
        self._packer = packer
        self._again.extend(ids)

    def _pack_again(self) -> None:
        """Pack some of the ids that are asked for again."""
        for _ in range(min(TURN, len(self._again))):
            self._pack(self._again.popleft())
        if not self._again:
            self.flush()

    def too_long(self, asked: LogsQuery) -> bool:
        """Ask for the halves of a list that is too long, and remember its length."""
        batch = self._asked(asked)
        if len(batch) == 1:
            return False
        self._in_flight -= 1
        shorter = max(SHORTEST_LISTS, joined_length(batch) // 2)
        self._facts.max_length = min(self._facts.max_length, shorter)
        self._ready.extendleft(reversed(halves(batch)))
        return True

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, nor to be fed; asked after :meth:`take` gave nothing."""
        return self._fed and not (self._in_flight or self._ready or self._again)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        told = {one for gap in self._gaps for one in gap.filters.get(self._field, ())}
        silent = tuple(one for one in self._undecided if one not in told)
        if not silent or not self.over:
            return tuple(self._gaps)
        query = self._query
        filters = {**query.filters, self._field: silent}
        return (*self._gaps, Gap(query.sent_since, query.sent_until, filters, "unconfirmed"))

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids that have no log."""
        return tuple(self._missing)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The ids that no log came for, though there may be one."""
        return tuple(self._undecided)
