"""What processes that share a limit and their ledger say to each other. Pure.

All instants and durations are whole microseconds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import attrs

from .bucket import SLACK as SLACK_SECONDS
from .bucket import TokenLimit
from .errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .bucket import Limit

SECOND = 1_000_000
SLACK = int(SLACK_SECONDS * SECOND)
"""By how much a token comes back late, for the rounding of clocks on both sides."""

MOST = 10_000
"""The requests of a limit that can be shared: a ledger is read and written with each message."""

LONGEST = 366 * 24 * 3600.0
"""Seconds for which it may remember them: the microseconds of far more are exact in Redis."""


@attrs.frozen
class Terms:
    """What one limit comes to.

    Attributes:
        tokens: How many requests may be held and cooling together.
        cooling: How long a token cools; for a bucket how long the refill of one takes.
        bucket: Whether tokens come back one after the other.
        name: What its bucket is called.
    """

    tokens: int
    cooling: int
    bucket: bool = False
    name: str = attrs.field(default=attrs.Factory(lambda terms: terms.usual_name, takes_self=True))

    @classmethod
    def of(cls, limit: Limit) -> Self:
        """Return what a limit comes to."""
        if isinstance(limit, TokenLimit):
            return cls(limit.burst, math.ceil(SECOND / limit.refill), bucket=True)
        return cls(limit.requests, math.ceil(limit.per * SECOND) + SLACK)

    @property
    def usual_name(self) -> str:
        """What its bucket is called: the same for all who keep the same limit."""
        return f"{self.tokens}/{self.cooling}"

    @property
    def rate(self) -> float:
        """The requests per second in the long run."""
        return (1 if self.bucket else self.tokens) * SECOND / self.cooling


@attrs.frozen
class Ended:
    """A request that ended.

    Attributes:
        number: Its token.
        end: How: ``answered``, ``throttled``, ``abandoned`` or ``unused``.
        ago: Since when that is known.
        left: How long ago it left, at most.
        retry_after: What its 429 asks for; None where it does not.
        after: How many messages its member had written by then: all later ones tell of it, until
            one is answered.
    """

    number: int
    end: str
    ago: int = 0
    left: int = 0
    retry_after: int | None = None
    after: int = 0


@attrs.frozen(kw_only=True)
class Message:
    """All that a member has to say.

    Attributes:
        member: Who it is.
        terms: The limits that it keeps.
        lease: How long it may be silent before it counts as gone.
        lookups: How many of its callers wait for a single answer.
        bulk: How many wait for one of many.
        out: The tokens of its requests that are on the wire.
        ended: Those that ended since.
        seen: The ledger's time in the last answer that it got; 0 where it has none.
        since: How long ago, by its own clock, that was.
        leaves: Whether it says good-bye.
        serial: Which one of its messages this is. One may come late, after it was given up and
            said in other words, or come twice.
    """

    member: str
    terms: tuple[Terms, ...]
    lease: int
    lookups: int = 0
    bulk: int = 0
    out: tuple[int, ...] = ()
    ended: tuple[Ended, ...] = ()
    seen: int = 0
    since: int = 0
    leaves: bool = False
    serial: int = 0


@attrs.frozen
class Answer:
    """When the callers of a member may go.

    Attributes:
        now: The ledger's time.
        grants: Its reserved tokens, and in how long each may go.
        places: For each other caller in how long it may go at the earliest; to ask again then.
        silence: How long a 429 still forbids every request.
        burst: How many requests may go at once since a 429; 0 where the limit is kept in full.
        interval: How far apart they go in the long run, likewise.
    """

    now: int
    grants: tuple[tuple[int, int], ...] = ()
    places: tuple[int, ...] = ()
    silence: int = 0
    burst: int = 0
    interval: int = 0


def terms_of(limits: Sequence[Limit]) -> tuple[Terms, ...]:
    """Return what limits come to that are shared.

    Raises:
        InvalidInput: There is none, or one of more requests, or of a longer time, than a ledger
            can keep.
    """
    if not limits:
        raise InvalidInput("a limiter needs at least one limit")
    for limit in limits:
        if limit.burst > MOST or limit.burst / limit.rate > LONGEST:
            raise InvalidInput(
                f"a limit can be shared up to {MOST} requests at once, all of them back within a "
                f"year; {limit} is beyond that"
            )
    return tuple(map(Terms.of, limits))


def longest(terms: Sequence[Terms]) -> int:
    """Return how long the longest of several limits remembers a request."""
    return max(one.cooling * (one.tokens if one.bucket else 1) for one in terms)
