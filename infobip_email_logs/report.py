"""What a pull did: counted while it runs, told as a :class:`PullReport`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from .errors import EmailLogsError, InvalidInput
from .models import Gap


def _check_most(_bounds: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise InvalidInput(f"{field.name} must be a whole number from 1 on, not {value!r}")


def _check_seconds(_bounds: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, int | float) or not 0 < value < math.inf):
        raise InvalidInput(f"{field.name} must be a number of seconds above 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Bounds:
    """What a pull may cost.

    Attributes:
        max_requests: The requests, further attempts included.
        deadline: The seconds from its first request on.
    """

    max_requests: int | None = attrs.field(default=None, validator=_check_most)
    deadline: float | None = attrs.field(default=None, validator=_check_seconds)


class RequestsSpent(EmailLogsError):
    """A request would be one more than the pull may cost; nobody outside meets this."""


@attrs.define
class Tally:
    """Counts what one call costs.

    Attributes:
        pages: The answers that were asked for.
        requests: The requests that were sent, further attempts included.
        begun: Those, and the ones that are about to be sent.
        most: The requests that may be sent; None for any number.
        throttled: The 429s among their answers.
        retries: The further attempts.
        records: The logs that were delivered.
        rejected: The records that could not be decoded.
        contradictions: For each filter that the service did not keep, how many records broke it.
    """

    pages: int = 0
    requests: int = 0
    begun: int = 0
    most: int | None = None
    throttled: int = 0
    retries: int = 0
    records: int = 0
    rejected: int = 0
    contradictions: Counter[str] = attrs.field(factory=Counter[str])

    def begin(self) -> None:
        """Take note that a request is about to be sent.

        Raises:
            RequestsSpent: It would be one too many.
        """
        if self.most is not None and self.begun >= self.most:
            raise RequestsSpent(f"all of the {self.most} requests are spent")
        self.begun += 1


@attrs.frozen(kw_only=True)
class PullPlan:
    """What a pull is expected to cost; an estimate, from one page at most.

    Attributes:
        strategy: How the logs are had: ``"by_id"`` or ``"sweep"``.
        requests: The requests in all, what the estimate cost included.
        seconds: How long they take at least, by the limit of the client; None where its limiter
            is one that does not tell.
    """

    strategy: str
    requests: int
    seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values that ``json.dumps`` takes."""
        return attrs.asdict(self)


@attrs.frozen(kw_only=True)
class PullReport:
    """What a pull did, up to now.

    Attributes:
        plan: How the logs were had: ``"by_id"``, or ``"sweep"`` where all that was sent in the
            window was gone through.
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

    plan: str
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
