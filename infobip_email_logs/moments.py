"""Instants as whole milliseconds since 1970: what a window is counted in. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MILLISECOND = timedelta(milliseconds=1)

RETENTION = timedelta(hours=48)
"""How long a log is kept (API reference)."""

UNWAITED = timedelta(seconds=5)
"""The time after the first answer of a call in which logs may expire without a word."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EVER = 1 << 62
"""Later than any instant; what a window without a bound ends with, and begins with negated."""


def number(instant: datetime) -> int:
    """Return the milliseconds from 1970 to an aware instant, rounded down."""
    return (instant - EPOCH) // MILLISECOND


def instant(number: int) -> datetime | None:
    """Return the instant, in UTC; None for one beyond the calendar."""
    try:
        return EPOCH + timedelta(milliseconds=number)
    except OverflowError:
        return None
