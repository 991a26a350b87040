"""What to ask, one request after the other, and what the answers prove. Pure: no I/O, no clock.

A plan is fed with ids and with answers; it says what to ask next, and in the end which ids have
no log and which stretches are not proven to be complete.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from .batches import MAX_LENGTH, Batch, Packer, halves, joined_length
from .models import Gap
from .query import MAX_LIMIT, check_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .models import LogsPage
    from .query import LogsQuery

NOT_ASKED = 0
"""In place of a list's length: no answer has told anything of the id."""

IdField = Literal["message_id", "bulk_id"]

PROBES = 8
"""The further requests, about, by which it is learned whether long lists of ids are kept."""

OPEN_BATCHES = 16
"""The batches that wait for further ids, at most, while ids come in."""


class Plan(Protocol):
    """Says what to ask next, fed with what came back."""

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""

    def answer(self, asked: LogsQuery, page: LogsPage) -> None:
        """Learn from an answer; its logs are those that keep what was asked."""

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

    def answer(self, asked: LogsQuery, page: LogsPage) -> None:
        """Take the answer for the whole, unless it is full."""
        self.over = True
        if page.full:
            self.gaps = (full_page(asked),)

    def too_long(self, asked: LogsQuery) -> bool:
        """Nothing can be split here."""
        del asked
        return False


@attrs.define
class ListFacts:
    """What the service has shown about lists of ids; a client remembers it between its calls.

    Attributes:
        max_length: The characters of a list that it takes, as far as is known.
        max_ids: The ids of a list that it takes, as far as is known.
        trusted: The longest list of which an id at the end was answered beside another one. A
            single id is documented, and needs no proof.
    """

    max_length: int = MAX_LENGTH
    max_ids: int = MAX_LIMIT - 1  # so that one log an id leaves the page short of full
    trusted: int = 1


class ByIds:
    """Asks for the logs of ids, packed into lists where a list is taken.

    Whether the service keeps lists of ids is not documented for version 1. So an id without a log
    counts as missing only where a list is shown to work as far as its place in it. Others are
    asked for again, in shorter lists that can be trusted or alone: some at first, and all of them
    as soon as one then has a log.

    Args:
        field: Which ids they are.
        query: The other filters of every request.
        facts: What is known of lists; it is kept up to date.
    """

    def __init__(self, field: IdField, query: LogsQuery, facts: ListFacts) -> None:
        self._field = field
        self._query = attrs.evolve(query, limit=MAX_LIMIT)
        self._facts = facts
        self._packer = self._new_packer(facts.max_ids)
        self._ready: deque[Batch] = deque()
        self._in_flight = 0
        self._fed = False
        self._probes_left = PROBES
        self._probing: set[str] = set()
        self._chance = random.Random(0)  # noqa: S311 - a sample that is the same every time
        self._seen: set[str] = set()
        self._missing: dict[str, None] = {}
        self._undecided: dict[str, int] = {}
        self._gaps: list[Gap] = []

    def _new_packer(self, max_ids: int) -> Packer:
        return Packer(max_length=self._facts.max_length, max_ids=max_ids, max_open=OPEN_BATCHES)

    def feed(self, ids: Iterable[object]) -> None:
        """Take ids; those that came before are passed over.

        Raises:
            InvalidInput: One of them can't be an id.
        """
        for one in ids:
            wanted = check_id(one, self._field)
            if wanted not in self._seen:
                if batch := self._packer.add(wanted):
                    self._ready.append(batch)
                self._seen.add(wanted)
                self._undecided[wanted] = NOT_ASKED

    def end_of_ids(self) -> None:
        """No ids come any more."""
        self._fed = True
        self._ready.extend(self._packer.flush())

    @property
    def backlog(self) -> int:
        """The batches that are ready to be asked for."""
        return len(self._ready)

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""
        if self.over:
            self._verify()
        if not self._ready:
            return None
        batch = self._ready.popleft()
        while len(batch) > 1 and not self._fits(batch):
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

    def answer(self, asked: LogsQuery, page: LogsPage) -> None:
        """Learn which ids have logs, and how far lists work."""
        self._in_flight -= 1
        batch = self._asked(asked)
        found = {getattr(log, self._field) for log in page.logs}
        kept = self._field not in page.contradictions
        if kept:
            self._learn([place for place, one in enumerate(batch, 1) if one in found])
        if page.full:
            self._gaps.append(full_page(asked))
        surprised = not self._probing.isdisjoint(found)
        self._probing.difference_update(batch)
        for place, one in enumerate(batch, 1):
            if one in found:
                self._undecided.pop(one, None)
            elif kept and not page.full and None not in found:
                self._note_absent(one, 1 if len(batch) == 1 else max(place, 2))
        if surprised:
            self._distrust()

    def _learn(self, places: Sequence[int]) -> None:
        """Two ids of one list were answered: it is kept up to the last of them."""
        if len(places) > 1:
            self._facts.trusted = max(self._facts.trusted, places[-1])

    def _note_absent(self, one: str, length: int) -> None:
        """No log came for an id: it has none if lists of ``length`` work."""
        if length <= self._facts.trusted:
            self._undecided.pop(one, None)
            self._missing[one] = None
        else:
            self._undecided[one] = length

    def _doubtful(self) -> list[str]:
        """Return the ids that were asked for in lists longer than is shown to work."""
        return [one for one, length in self._undecided.items() if length > self._facts.trusted]

    def _distrust(self) -> None:
        """An id that a list did not answer has a log: longer lists than trusted are no good."""
        self._facts.max_ids = min(self._facts.max_ids, self._facts.trusted)
        self._ask_again(self._doubtful())

    def _verify(self) -> None:
        """Ask again, in lists that can be trusted, where longer ones were silent about ids."""
        for one, length in list(self._undecided.items()):
            if NOT_ASKED < length <= self._facts.trusted:
                self._note_absent(one, length)
        if (doubtful := self._doubtful()) and self._probes_left:
            count = min(self._probes_left * self._facts.trusted, len(doubtful))
            self._probes_left = 0
            probes = self._chance.sample(doubtful, count)
            self._probing.update(probes)
            self._ask_again(probes)

    def _ask_again(self, ids: Iterable[str]) -> None:
        """Ask in lists of as many ids as can be trusted."""
        packer = self._new_packer(self._facts.trusted)
        for one in ids:
            self._undecided[one] = NOT_ASKED
            if batch := packer.add(one):
                self._ready.append(batch)
        self._ready.extend(packer.flush())

    def too_long(self, asked: LogsQuery) -> bool:
        """Ask for the halves of a list that is too long, and remember its length."""
        batch = self._asked(asked)
        if len(batch) == 1:
            return False
        self._in_flight -= 1
        self._facts.max_length = min(self._facts.max_length, max(1, joined_length(batch) // 2))
        self._ready.extendleft(reversed(halves(batch)))
        return True

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, nor to be fed; asked after :meth:`take` gave nothing."""
        return self._fed and not self._in_flight and not self._ready

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        return tuple(self._gaps)

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids that have no log."""
        return tuple(self._missing)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The ids that no log came for, though there may be one."""
        return tuple(self._undecided)
