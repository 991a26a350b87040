"""What a service has shown about its pages: how many records, which, and how bounds act. Pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from .query import DEFAULT_LIMIT, MAX_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE_SECOND = 1000

SMALLEST_CAP = DEFAULT_LIMIT
"""The records of a page below which no service is suspected to cut it."""


class Choice(enum.Enum):
    """Which of the records that match a full page holds."""

    UNKNOWN = enum.auto()
    LATEST = enum.auto()
    EARLIEST = enum.auto()
    OTHER = enum.auto()


class Verdict(enum.Enum):
    """What the size of a page proves."""

    WHOLE = enum.auto()
    FULL = enum.auto()
    DOUBTFUL = enum.auto()


@attrs.define
class PageFacts:
    """What the service has shown about its pages; a client remembers it between its calls.

    Attributes:
        cap: The records of a page, at most, as far as is known.
        whole: Pages of so many records are known to be whole: larger ones were seen.
        suspect: The size of the last page that may have been cut, though it was not full.
        since_inclusive: Whether a record at ``sentSince`` matches; None while it is not known.
        until_inclusive: Whether a record at ``sentUntil`` matches; None while it is not known.
        names_next: Whether a page has named the next one: the service keeps cursors.
        told_in: The milliseconds that timestamps are told in; None while none was told.
    """

    cap: int = MAX_LIMIT
    whole: int = SMALLEST_CAP - 1
    suspect: int = 0
    since_inclusive: bool | None = None
    until_inclusive: bool | None = None
    names_next: bool = False
    told_in: int | None = None

    @property
    def grain(self) -> int:
        """The milliseconds that timestamps are told in, as far as is known."""
        return self.told_in or 1

    def learn_grain(self, times: Sequence[int]) -> None:
        """Learn from timestamps, in milliseconds, how finely they are told.

        They are taken for whole seconds until one is none: then stretches are asked for by whole
        seconds, which is never wrong.
        """
        if self.told_in is None and times:
            self.told_in = WHOLE_SECOND
        if any(at % self.grain for at in times):
            self.told_in = 1

    def verdict(self, size: int) -> Verdict:
        """Return what the size of a page proves, and learn from it.

        A service may cut pages below the limit without a word. So a page is taken for whole only
        where a larger one was seen; the same suspicious size twice is taken for the cut.
        """
        if size <= self.whole:
            return Verdict.WHOLE
        self.note(size)
        if size == self.suspect:
            self.cap = size
        self.suspect = size
        return Verdict.FULL if size >= self.cap else Verdict.DOUBTFUL

    def note(self, size: int) -> None:
        """Take note that there are pages of so many records."""
        if size > self.cap:
            self.cap = MAX_LIMIT
        self.whole = max(self.whole, size - 1)

    def acquit(self, size: int) -> None:
        """Take note that a page of a suspicious size was whole; the next one need not be."""
        if size == self.suspect:
            self.suspect = 0

    def distrust(self, size: int) -> None:
        """Take note that a page of a suspicious size was cut."""
        self.cap = size
        self.whole = min(self.whole, size - 1)
