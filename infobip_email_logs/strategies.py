"""The plan for ids that were sent in a window: by asking for them, or by sweeping it. Pure.

Five hundred bulks of a hundred mails are five hundred requests one way and fifty the other. Which
one is cheaper depends on all that was sent in the window, and that is not known: so the first page
of the sweep is a probe, and with each further page the estimate is made anew.
"""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, Literal

from .by_ids import SPOT_CHECK
from .models import RejectedRecord
from .overlap import Item, Record, told_id, wanted_items
from .sweep import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from .by_ids import ByIds, IdField
    from .models import Gap, LogsPage
    from .query import LogsQuery
    from .sweep import Sweep

Strategy = Literal["by_id", "sweep"]

WORTH_A_PROBE = 3
"""The requests that ids may cost, at most, without a look at the window they were sent in."""

WORTH_A_LOOK_AT_ALL = 20
"""The same where there is no window: all that is kept would be swept."""

FAR_DEARER = 1.5
"""How many times dearer than the ids a sweep has to seem to be given up after its first pages."""

A_TENTH = 0.1
"""The part of what the ids cost that may be lost by looking at a window for longer."""


class _Way(enum.Enum):
    UNDECIDED = enum.auto()
    PROBE = enum.auto()
    SWEEP = enum.auto()
    BY_ID = enum.auto()


class Either:
    """Asks for ids one way or the other, whichever is expected to cost fewer requests.

    Args:
        field: Which ids they are.
        by_ids: How they are asked for.
        sweep: How all that was sent in their window is had.
        windowed: Whether they are known to be sent in a window.
        strategy: The way to go; None leaves the choice to an estimate.
    """

    def __init__(
        self,
        field: IdField,
        by_ids: ByIds,
        sweep: Sweep,
        *,
        windowed: bool,
        strategy: Strategy | None,
    ) -> None:
        self._field = field
        self._by_ids = by_ids
        self._sweep = sweep
        self._cheap = WORTH_A_PROBE if windowed else WORTH_A_LOOK_AT_ALL
        self._forced = strategy
        self._way = _Way.BY_ID if strategy == "by_id" else _Way.UNDECIDED
        self._fed = False
        self._swept: dict[int, LogsQuery] = {}  # by identity: ids may be asked for alike
        self._found: set[str] = set()
        self._handed: Counter[Hashable] = Counter()
        self._names: set[bool] = set()
        self._pages = 0
        self._strategy: Strategy = "by_id"
        self._expired: tuple[Gap, ...] = ()

    def feed(self, ids: Iterable[object]) -> None:
        """Take ids; those that came before are passed over.

        Raises:
            InvalidInput: One of them can't be an id.
        """
        self._by_ids.feed(ids)

    def flush(self) -> None:
        """Ask for what is here, though lists might still fill up."""
        self._by_ids.flush()

    def end_of_ids(self) -> None:
        """No ids come any more."""
        self._by_ids.end_of_ids()
        self._fed = True

    @property
    def backlog(self) -> int:
        """The batches that are ready to be asked for; a sweep asks for none of them."""
        return self._by_ids.backlog if self._way is _Way.BY_ID else 0

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""
        if self._way is _Way.UNDECIDED:
            self._decide()
        if self._way is _Way.BY_ID:
            return self._by_ids.take()
        if not self._fed or (self._way is _Way.PROBE and self._swept):
            return None
        query = self._sweep.take()
        if query:
            self._swept[id(query)] = query
        return query

    def _decide(self) -> None:
        """Choose, as soon as all ids are known."""
        if self._forced == "sweep":
            self._way, self._strategy = _Way.SWEEP, "sweep"
        elif self._fed:
            cheap = self._by_ids.expected <= self._cheap
            self._way = _Way.BY_ID if cheap else _Way.PROBE

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Learn from an answer; return those of its records that are to be handed over."""
        if self._swept.pop(id(asked), None) is None:
            return self._unhanded(self._by_ids.answer(asked, page, wanted))
        if self._way is _Way.BY_ID:
            return ()  # it was on its way when the estimate changed
        mine = [record for record in wanted if self._is_mine(record)]
        self._names.update(getattr(log, self._field) is not None for log in page.logs)
        new = self._sweep.answer(asked, page, mine)
        self._note(new)
        self._pages += 1
        self._revise()
        return new

    def _is_mine(self, record: Record) -> bool:
        """Say whether a record may be of an id that is asked for."""
        told = told_id(record, self._field)
        return told in self._by_ids.ids or (told is None and isinstance(record, RejectedRecord))

    def _note(self, new: Sequence[Record]) -> None:
        """Take note of what is handed over: should ids be asked for, it comes again."""
        self._handed.update(item.key for item in wanted_items(new))
        self._found.update(one for record in new if (one := told_id(record, self._field)))

    def _unhanded(self, new: Sequence[Record]) -> Sequence[Record]:
        """Leave out what the sweep handed over before it was given up."""
        if not self._handed:
            return new
        return [item.record for item in wanted_items(new) if self._is_new(item)]

    def _is_new(self, item: Item) -> bool:
        known = self._handed[item.key] > 0
        self._handed[item.key] -= known
        return not known

    def _revise(self) -> None:
        """Go on with the way that is cheaper from here; end a sweep that is at its end."""
        if self._sweep.over:
            self._end_sweep()
        elif not self._forced and self._seems_dear():
            self._way, self._strategy = _Way.BY_ID, "by_id"
        else:
            self._way, self._strategy = _Way.SWEEP, "sweep"

    def _seems_dear(self) -> bool:
        """Say whether the sweep is given up: a page is a poor sample of its window."""
        ids = self._by_ids.expected
        looks = self._pages < 1 + A_TENTH * ids
        left_open = len(self._by_ids.ids) - len(self._found)
        sweep = self._sweep.expected + min(left_open, self._doubtful_ids or 0)
        return sweep > (FAR_DEARER * ids if looks else ids)

    def _end_sweep(self) -> None:
        """Ask for ids only as far as the sweep left them open."""
        self._strategy = "sweep"
        gaps = self._sweep.gaps
        self._expired = tuple(gap for gap in gaps if gap.why == EXPIRED)
        open_ones = len(gaps) > len(self._expired)
        self._way = _Way.BY_ID
        if not open_ones:
            self._by_ids.conclude(self._found, ask=self._doubtful_ids)

    @property
    def _doubtful_ids(self) -> int | None:
        """How many ids that were not found are asked for all the same; None for all of them.

        A log that does not tell its id may be of one of them. But a mail need not be of a bulk:
        where some logs tell theirs, it is enough to look at a few.
        """
        if False not in self._names:
            return 0
        return SPOT_CHECK if True in self._names and self._field == "bulk_id" else None

    def refused(self, asked: LogsQuery, status: int) -> bool:
        """A request was refused for good: say whether something else is asked for instead."""
        if self._swept.pop(id(asked), None) is None:
            return self._by_ids.refused(asked, status)
        if self._way is _Way.BY_ID:
            return True  # nobody wants it any more
        if not self._sweep.refused(asked, status):
            return False
        self._revise()
        return True

    def stop(self, why: str) -> None:
        """Ask for nothing any more: what is not complete is a gap."""
        if self._way is not _Way.BY_ID:
            self._sweep.stop(why)
            self._expired = self._sweep.gaps
            self._by_ids.conclude(self._found, ask=None)
            self._way = _Way.BY_ID
        self._swept.clear()
        self._by_ids.stop(why)
        self._fed = True

    @property
    def strategy(self) -> Strategy:
        """How the logs are had, as far as is decided by now."""
        return self._strategy

    @property
    def probing(self) -> bool:
        """Whether the window is looked at next."""
        if self._way is _Way.UNDECIDED:
            self._decide()
        plan = self._by_ids if self._way is _Way.BY_ID else self._sweep
        return plan.probing

    @property
    def expected(self) -> float:
        """How many further requests are expected, as far as is known by now."""
        sweeps = self._way is _Way.SWEEP
        return self._sweep.expected if sweeps else self._by_ids.expected

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask, nor to be fed."""
        return self._way is _Way.BY_ID and not self._swept and self._by_ids.over

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not proven to be complete."""
        return (*self._expired, *self._by_ids.gaps)

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids that have no log."""
        return tuple(one for one in self._by_ids.missing if one not in self._found)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The ids that no log came for, though there may be one."""
        return tuple(one for one in self._by_ids.unconfirmed if one not in self._found)
