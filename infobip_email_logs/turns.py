"""Whose turn it is among the processes that share a ledger, in two priorities. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .line import IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Yield each name once, looking no further than it has to."""
    seen = set[str]()
    for name in names:
        if name not in seen:
            seen.add(name)
            yield name


@attrs.define
class Turns:
    """The members whose callers wait, each as often as it has callers, in the order they came.

    Lookups go before bulk pulls, but not more than :data:`~infobip_email_logs.line.IN_A_ROW` of
    them while one waits.

    Attributes:
        lookups: Whose lookups wait.
        bulk: Whose bulk pulls wait.
        row: How many lookups have had their turn, up to that, while a bulk pull was to wait.
    """

    lookups: list[str] = attrs.Factory(list[str])
    bulk: list[str] = attrs.Factory(list[str])
    row: int = 0

    def lane(self, *, bulk: bool) -> list[str]:
        """Return those of one priority who wait."""
        return self.bulk if bulk else self.lookups

    @property
    def bulk_first(self) -> bool:
        """Whether it is a bulk pull's turn, though lookups wait."""
        return self.row >= IN_A_ROW

    def candidates(self) -> Iterator[tuple[str, bool]]:
        """Yield who may be next, and whether with a bulk pull; who comes first goes if it can."""
        for bulk in (self.bulk_first, not self.bulk_first):
            for name in distinct(self.lane(bulk=bulk)):
                yield name, bulk

    def serve(self, name: str, *, bulk: bool) -> bool:
        """Let a member have its turn; say whether with a bulk pull, while lookups wait."""
        self.lane(bulk=bulk).remove(name)
        if not bulk:
            self.row = min(self.row + 1, IN_A_ROW) if self.bulk else 0
        elif self.lookups:
            self.keep()
        return bulk and bool(self.lookups)

    def keep(self) -> None:
        """Take it that a bulk pull has its turn with what was promised to it."""
        self.row = 0

    def fit(self, name: str, count: int, *, bulk: bool) -> None:
        """Let so many callers of a member wait: others come last, the last ones leave."""
        lane = self.lane(bulk=bulk)
        lane += [name] * (count - lane.count(name))
        leave = set([place for place, one in enumerate(lane) if one == name][count:])
        lane[:] = [one for place, one in enumerate(lane) if place not in leave]

    def forget(self, name: str) -> None:
        """Let nobody of a member wait any longer."""
        self.lookups = [one for one in self.lookups if one != name]
        self.bulk = [one for one in self.bulk if one != name]

    def places(self, name: str) -> Iterator[int]:
        """Yield for each caller of a member that waits how many others go before it, about."""
        lookups, bulk = len(self.lookups), len(self.bulk)
        for place, one in enumerate(self.lookups):
            if one == name:
                yield place + min(bulk, (self.row + place) // IN_A_ROW)
        for place, one in enumerate(self.bulk):
            if one == name:
                yield place + min(lookups, (place + 1) * IN_A_ROW - self.row)
