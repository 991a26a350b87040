"""What to ask, one request after the other, and what the answers prove. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from .models import Gap
from .query import MAX_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import EmailLog, LogsPage
    from .query import LogsQuery


FULL_PAGE = "full page"
"""Why a stretch is not proven: its answer held as many records as it could."""


class Plan(Protocol):
    """Says what to ask next, fed with what came back."""

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[EmailLog]
    ) -> Sequence[EmailLog]:
        """Learn from an answer; return those of the logs that are to be handed over.

        Args:
            asked: The request.
            page: Its answer, with the logs that keep what was asked.
            wanted: Those of them that also keep what the caller wants.
        """
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
    return Gap(asked.sent_since, asked.sent_until, asked.filters, FULL_PAGE)


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

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[EmailLog]
    ) -> Sequence[EmailLog]:
        """Take the answer for the whole, unless it is full."""
        self.over = True
        if page.full:
            self.gaps = (full_page(asked),)
        return wanted

    def too_long(self, asked: LogsQuery) -> bool:
        """Nothing can be split here."""
        del asked
        return False
