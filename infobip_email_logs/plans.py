"""What to ask, one request after the other, and what the answers prove. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .models import Gap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import LogsPage
    from .overlap import Record
    from .query import LogsQuery


FULL_PAGE = "full page"
"""Why a stretch is not proven: its answer held as many records as it could."""


class Plan(Protocol):
    """Says what to ask next, fed with what came back."""

    def take(self) -> LogsQuery | None:
        """Return the next request, if there is one by now."""

    def answer(
        self, asked: LogsQuery, page: LogsPage, wanted: Sequence[Record]
    ) -> Sequence[Record]:
        """Learn from an answer; return those of its records that are to be handed over.

        Args:
            asked: The request.
            page: Its answer, with the logs that keep what was asked.
            wanted: Those of them that also keep what the caller wants, and the undecodable ones.
        """
        ...  # pragma: no cover - a protocol's body never runs

    def refused(self, asked: LogsQuery, status: int) -> bool:
        """The service refused a request for good: say whether something else is asked instead."""
        ...  # pragma: no cover - a protocol's body never runs

    def stop(self, why: str) -> None:
        """Ask for nothing any more: what is not complete is a gap."""

    @property
    def strategy(self) -> str:
        """How the logs are had: ``"by_id"`` or ``"sweep"``."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def probing(self) -> bool:
        """Whether the next request tells what the others will cost."""
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def expected(self) -> float:
        """How many further requests are expected, as far as is known by now."""
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
