"""``Retry-After``: seconds or an HTTP date, and nonsense."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .exchange import http_date

if TYPE_CHECKING:
    from datetime import datetime

LONGEST = 3600.0
"""The longest wait that is believed, in seconds: after an hour it does no harm to ask again."""

LONGEST_TEXT = 64
"""The characters of the longest value that is looked at."""


def seconds(text: str | None, date: datetime | None) -> float | None:
    """Return the seconds that ``text`` asks to wait, from 0 to :data:`LONGEST`; None for nonsense.

    An HTTP date is counted from ``date``, the same answer's own clock, so that a wrong clock on
    our side does no harm; without one it can't be told.
    """
    if text is None or len(text) > LONGEST_TEXT:
        return None
    try:
        wait = float(text)
    except ValueError:
        wait = _until(http_date(text), date)
    if math.isnan(wait) or wait < 0:
        return None
    return min(wait, LONGEST)


def _until(instant: datetime | None, date: datetime | None) -> float:
    if instant is None or date is None:
        return math.nan
    return max(0.0, (instant - date).total_seconds())
