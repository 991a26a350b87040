"""What a service has shown about lists of ids. Pure.

Version 1 of the API is not documented to keep them; what is known is learned from answers.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import attrs

from .batches import MAX_LENGTH, Batch, joined_length
from .query import MAX_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_LISTS = 100
"""The characters of a list, at least, that a client does not learn to stay below."""

MAX_KEYS = 64
"""The ids of a list in which each has the parameter's name before it, at most."""

Reach = tuple[int, int]
"""How long a list is up to one of its ids: ids, and characters."""

NOT_ASKED: Reach = (0, 0)
ALONE: Reach = (1, 0)


@attrs.define
class ListFacts:
    """What the service has shown about lists of ids; a client remembers it between its calls.

    Attributes:
        max_length: The characters of a list that it takes, as far as is known.
        max_ids: The ids of a list that it takes, as far as is known.
        longest: The characters of an id, at most.
        trusted: The reach of the longest lists of which an id at the end was answered beside
            another one. A single id is documented, and needs no proof.
    """

    max_length: int = MAX_LENGTH
    max_ids: int = MAX_LIMIT - 1  # so that one log an id leaves the page short of full
    longest: int = MAX_LENGTH
    trusted: Reach = ALONE

    @classmethod
    def up_to(cls, length: int) -> ListFacts:
        """Return what is known of lists of up to ``length`` characters, and of ids alone."""
        return cls(max_length=length, longest=length)

    @classmethod
    def repeating(cls, key: str, length: int) -> ListFacts:
        """Return the same for lists in which each id has ``&key=`` before it, not a comma.

        Whether the names count is not documented; here they do. What they may cost at most is set
        aside, so that no list is longer than ``length``, whatever its ids.
        """
        cost = len(f"&{key}=") - 1
        most = max(1, min(MAX_KEYS, length // (2 * cost)))
        return cls(max_length=max(1, length - most * cost), max_ids=most, longest=length)

    def learn(self, batch: Batch, places: Sequence[int]) -> None:
        """Take note of the places of a list that were answered, counted from 1."""
        if len(places) > 1:
            ids, length = self.trusted
            last = places[-1]
            self.trusted = (max(ids, last), max(length, joined_length(batch[:last])))

    def shorten(self, batch: Batch) -> None:
        """Take note of a list that was too long for the service."""
        shorter = max(SHORTEST_LISTS, joined_length(batch) // 2)
        self.max_length = min(self.max_length, shorter)

    def distrust(self) -> None:
        """Take note that lists longer than trusted are not kept."""
        ids, length = self.trusted
        self.max_ids = min(self.max_ids, ids)
        self.max_length = min(self.max_length, max(length, SHORTEST_LISTS))

    def fits(self, batch: Batch) -> bool:
        """Say whether a list is taken, as far as is known."""
        return len(batch) <= self.max_ids and joined_length(batch) <= self.max_length

    def trust(self, reach: Reach) -> bool:
        """Say whether a list is kept as far as that."""
        return reach[0] <= self.trusted[0] and reach[1] <= self.trusted[1]


def reaches(batch: Batch) -> list[Reach]:
    """Return for each id of a batch how far its list must be kept for silence to count."""
    if len(batch) == 1:
        return [ALONE]
    ends = accumulate(joined_length((one,)) + 1 for one in batch)
    return [(max(place, 2), end - 1) for place, end in enumerate(ends, 1)]
