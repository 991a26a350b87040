"""Which of the matching records a page holds, in which order, and where the next one begins."""

from __future__ import annotations

import base64
import json
from heapq import nsmallest
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, cast

import attrs

from .refusals import malformed
from .settings import Settings
from .store import Moment, Store, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .query import Question

_NOT_MADE_HERE = "was not given out by this service"


@attrs.frozen
class Page:
    """One page of an answer.

    Attributes:
        refs: The records, in the order that they are sent in.
        next_cursor: Where the next page begins; None on the last one.
    """

    refs: list[int]
    next_cursor: str | None = None


@attrs.frozen
class _Cursor:
    """A position in one query: after how many pages, and after which record."""

    mark: str
    pages: int
    after: tuple[int, int]

    def __str__(self) -> str:
        told = json.dumps([self.mark, self.pages, *self.after])
        return base64.b64encode(told.encode()).decode()

    @classmethod
    def read(cls, text: str) -> _Cursor:
        try:
            told: Any = json.loads(base64.b64decode(text, validate=True))
            mark, pages, moment, rank = cast("tuple[str, int, int, int]", told)
        except (ValueError, TypeError) as error:
            raise malformed("cursor", _NOT_MADE_HERE) from error
        return cls(mark, pages, (moment, rank))


@attrs.frozen
class Pages:
    """The pages that a store answers with, under the settings.

    Attributes:
        store: The records.
        settings: How pages are made.
        random: For whatever is different each time.
    """

    store: Store
    settings: Settings
    random: Random

    def page(self, question: Question, *, now: int) -> Page:
        """Return the page that answers a question at ``now``, in milliseconds.

        Raises:
            Refused: The cursor is of another query, or past its life.
        """
        limit = min(question.limit, self.settings.page_cap or question.limit)
        wanted, at = self.held(question.wanted, now), self.moment(now)
        if question.use_cursor:
            return self._cursor_page(question, wanted, limit, at)
        return Page(self._ordered(self._chosen(wanted, limit, at)))

    def moment(self, now: int) -> Moment:
        """Return how the records are looked at, at ``now``."""
        return Moment(now, now - round(self.settings.pending_for * 1000))

    def held(self, wanted: Wanted, now: int) -> Wanted:
        """Return what is wanted of the records that are kept and visible at ``now``."""
        oldest = now - round(self.settings.retention * 1000)
        return wanted.within(oldest, now - round(self.settings.visible_after * 1000))

    def _chosen(self, wanted: Wanted, limit: int, at: Moment) -> list[int]:
        """Return the records of a full page."""
        choice = self.settings.full_page
        found = self.store.find(wanted, at, newest_first=choice != "earliest")
        if choice in {"latest", "earliest"}:
            return list(islice(found, limit))
        refs = list(found)
        if len(refs) <= limit:
            return refs
        if choice == "random":
            return self.random.sample(refs, limit)
        if choice == "hash":
            return nsmallest(limit, refs, key=self.store.rank)
        start = self.random.randint(0, len(refs) - limit)
        return refs[start : start + limit]

    def _ordered(self, refs: list[int]) -> list[int]:
        settings = self.settings
        if (settings.order, settings.ties) == ("newest", "newest"):
            return sorted(refs, key=self.store.key, reverse=True)
        return sorted(refs, key=self._order_key())

    def _order_key(self) -> Callable[[int], tuple[float | str, float]]:
        store, random = self.store, self.random
        first: dict[str, Callable[[int], float | str]] = {
            "newest": lambda ref: -store.sent(ref),
            "oldest": store.sent,
            "random": lambda _: random.random(),
            "by_id": store.message_id,
        }
        then: dict[str, Callable[[int], float]] = {
            "newest": lambda ref: -store.key(ref)[1],
            "oldest": lambda ref: store.key(ref)[1],
            "random": lambda _: random.random(),
        }
        primary, tie = first[self.settings.order], then[self.settings.ties]
        return lambda ref: (primary(ref), tie(ref))

    def _cursor_page(self, question: Question, wanted: Wanted, limit: int, at: Moment) -> Page:
        cursor = self._position(question)
        refs = list(islice(self._from(cursor, wanted, at), limit + 1))
        more = len(refs) > limit
        if self.settings.cursor_short_pages and more:
            limit = max(1, limit // 2)
        refs = refs[:limit]
        if not more and not (self.settings.cursor_end == "empty_page" and refs):
            return Page(self._ordered(refs))
        return Page(self._ordered(refs), self._next(question, cursor, refs))

    def _position(self, question: Question) -> _Cursor | None:
        if question.cursor is None:
            return None
        cursor = _Cursor.read(question.cursor)
        if cursor.mark != question.mark:
            raise malformed("cursor", "belongs to a query with other filters")
        life = self.settings.cursor_dies_after
        if life is not None and cursor.pages >= life:
            raise malformed("cursor", "is not valid any more")
        return cursor

    def _from(self, cursor: _Cursor | None, wanted: Wanted, at: Moment) -> Iterator[int]:
        if cursor is None:
            return self.store.find(wanted, at)
        after = cursor.after
        rest = self.store.find(wanted.within(wanted.low, after[0]), at)
        return (ref for ref in rest if self.store.key(ref) < after)

    def _next(self, question: Question, cursor: _Cursor | None, refs: list[int]) -> str:
        pages = 1 if cursor is None else cursor.pages + 1
        repeats = self.settings.cursor_repeats_after
        if cursor is not None and repeats is not None and pages > repeats:
            return str(cursor)
        return str(_Cursor(question.mark, pages, self.store.key(refs[-1])))
