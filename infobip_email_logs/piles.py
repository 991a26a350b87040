"""More records in one millisecond than a page holds: split by what the query leaves open. Pure.

The values of a filter are an open set, so the parts prove nothing by themselves: what was found
is handed over, and the millisecond is a gap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from .models import FINAL_GROUPS, EmailLog, StatusGroup
from .overlap import Item, Seen, seen
from .page_facts import Verdict
from .stretches import Doubtful, Outcome, Stretch, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNPROVEN = "unproven"
"""Why a millisecond with more records than a page holds is a gap, even where all seem found."""

FULL = "full page"

SPLITS = ("general_status", "bulk_id", "sender", "application_id", "entity_id")
"""The filters that a millisecond is split by, one after the other."""

GROUPS = tuple(group.value for group in StatusGroup if group is not StatusGroup.OK)
CHANGING = tuple(group for group in GROUPS if group not in FINAL_GROUPS)

MOST_VALUES = 50
"""The values of one filter that are asked for, at most."""


@attrs.define
class Pile:
    """The records of one millisecond.

    Attributes:
        asked: The fields that the query filters by already.
        base: How often each identity occurred in the page that was full.
        parts: The same for each status group that was asked for.
        handed: How often each identity was handed over.
    """

    asked: Collection[str]
    base: Seen
    handed: Seen
    parts: defaultdict[str, Seen] = attrs.field(factory=lambda: defaultdict(Counter))

    def new(self, group: str, found: list[Item]) -> list[Item]:
        """Return what of a part was not handed over.

        Final statuses do not change, so that parts with one hold different records. A record
        whose status is on its way may be in two parts.
        """
        part = self.parts[group]
        for key, number in seen(found).items():
            part[key] = max(part[key], number)
        new: list[Item] = []
        for item in found:
            if self.handed[item.key] < self._number(item, part):
                self.handed[item.key] += 1
                new.append(item)
        return new

    def _number(self, item: Item, part: Seen) -> int:
        final = sum(self.parts[group][item.key] for group in self.parts if group not in CHANGING)
        return max(self.base[item.key], part[item.key], final)


def pile(stretch: Stretch, view: View, asked: Collection[str]) -> Outcome:
    """Return what to do about a stretch of one millisecond whose page is full."""
    new = stretch.new(view)
    whole = Pile(asked, seen(view.inside), seen(view.inside) | stretch.seen)
    first = Part(stretch.low, stretch.high, pile=whole)
    return Outcome(
        hand=new,
        then=list(first.split(view)),
        gaps=[Doubtful(stretch.low, stretch.high, UNPROVEN)],
    )


@attrs.define(eq=False)
class Part(Stretch):
    """One value of a filter, in one millisecond."""

    pile: Pile = attrs.field(kw_only=True)

    def take_in(self, view: View) -> Outcome:
        """Hand over what is new; split what is full further."""
        hand = self.pile.new(self.filters.get("general_status", ""), view.inside)
        if view.verdict is not Verdict.FULL:
            return Outcome(hand)
        parts = list(self.split(view))
        gap = Doubtful(self.low, self.high, FULL, self.filters)
        return Outcome(hand, list(parts), gaps=[] if parts else [gap])

    def split(self, view: View) -> Iterator[Part]:
        """Yield the parts by the next filter that parts it."""
        for name in SPLITS:
            if name in self.pile.asked or name in self.filters:
                continue
            values = _values(name, view)
            if len(values) > 1:
                for value in values[:MOST_VALUES]:
                    yield self._with({**self.filters, name: value})
                return

    def _with(self, filters: Mapping[str, str]) -> Part:
        return Part(self.low, self.high, filters=filters, pile=self.pile)


def _values(name: str, view: View) -> list[str]:
    """Return the values of a field, those first that can still change."""
    logs = [item.record for item in view.inside if isinstance(item.record, EmailLog)]
    if name != "general_status":
        return list(dict.fromkeys(value for log in logs if (value := getattr(log, name))))
    told = [log.status.group_name for log in logs if log.status and log.status.group_name]
    return list(dict.fromkeys([*CHANGING, *GROUPS, *(one for one in told if one != "OK")]))
