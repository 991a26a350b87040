"""What a pull did: counted while it runs, told as a :class:`PullReport`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from .models import Gap


@attrs.define
class Tally:
    """Counts what one call costs.

    Attributes:
        pages: The answers that were asked for.
        requests: The requests that were sent, further attempts included.
        throttled: The 429s among their answers.
        retries: The further attempts.
        records: The logs that were delivered.
        rejected: The records that could not be decoded.
        contradictions: For each filter that the service did not keep, how many records broke it.
    """

    pages: int = 0
    requests: int = 0
    throttled: int = 0
    retries: int = 0
    records: int = 0
    rejected: int = 0
    contradictions: Counter[str] = attrs.field(factory=Counter[str])


@attrs.frozen(kw_only=True)
class PullReport:
    """What a pull did, up to now.

    Attributes:
        records: The logs that were delivered.
        requests: The requests that were sent, further attempts included.
        throttled: The 429s among the answers.
        retries: The further attempts, after 429s, server errors and broken connections.
        seconds: How long it took.
        complete: Whether the pull has ended, or reached its ``limit``, without a gap, without a
            rejected record and without an unconfirmed id. Missing ids do not count against it.
        missing_ids: The ids that were asked for and have no log that matches the query. With ids
            of both kinds these are message ids.
        unconfirmed_ids: The ids that no log came for, though it is not shown that there is none.
            Those that were not needed to reach the ``limit`` are not among them.
        rejected: The records that could not be decoded.
        gaps: What is not proven to be complete.
        contradictions: For each filter that the service did not keep, how many records broke it;
            those records were not delivered.
    """

    records: int
    requests: int
    throttled: int
    retries: int
    seconds: float
    complete: bool
    missing_ids: tuple[str, ...]
    unconfirmed_ids: tuple[str, ...]
    rejected: int
    gaps: tuple[Gap, ...]
    contradictions: Mapping[str, int] = attrs.field(hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that ``json.dumps`` takes."""
        plain = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        return plain | {
            "seconds": round(self.seconds, 3),
            "missing_ids": list(self.missing_ids),
            "unconfirmed_ids": list(self.unconfirmed_ids),
            "gaps": [gap.to_dict() for gap in self.gaps],
            "contradictions": dict(self.contradictions),
        }
