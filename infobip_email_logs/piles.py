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
from .overlap import Item, Seen, beyond, seen
from .page_facts import Verdict
from .plans import FULL_PAGE
from .stretches import Doubt, Doubtful, Outcome, Sample, Stretch, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNPROVEN = "unproven"
"""Why a millisecond with more records than a page holds is a gap, even where all seem found."""

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
        doubt: The page, where it was not full, and only suspected to be cut. It is taken for whole
            until a part holds more, if all of its records are found in parts.
        left: How many parts of a suspected page are not answered.
        told: Whether the parts can tell: none of them is as large as the suspected page.
    """

    asked: Collection[str]
    base: Seen
    handed: Seen
    doubt: Doubt | None = None
    left: int = 0
    told: bool = True
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

    def is_whole(self) -> bool:
        """Say whether the parts hold what the page held, and nothing else."""
        return self.told and sum(self.parts.values(), Counter()) == self.base

    def _number(self, item: Item, part: Seen) -> int:
        final = sum(self.parts[group][item.key] for group in self.parts if group not in CHANGING)
        return max(self.base[item.key], part[item.key], final)


def pile(
    stretch: Stretch,
    view: View,
    asked: Collection[str],
    *,
    doubt: Doubt | None = None,
    sampled: bool = False,
) -> Outcome:
    """Return what to do about a stretch of one millisecond whose page is full.

    Args:
        stretch: The millisecond.
        view: The page.
        asked: The fields that the query filters by already.
        doubt: The page, where it is only suspected to be full.
        sampled: Whether no larger page was found already.
    """
    new = stretch.new(view)
    base = seen(view.inside)
    whole = Pile(asked, base, base | stretch.seen, doubt)
    first = Part(stretch.low, stretch.high, pile=whole)
    if doubt and sampled:
        return attrs.evolve(first.sampled(view, whole=False), hand=new)
    if doubt:
        return Outcome(new, [Sample(stretch.low, stretch.high, of=first, first=view)])
    gap = Doubtful(stretch.low, stretch.high, UNPROVEN)
    return Outcome(new, list(first.split(view)), gaps=[gap])


@attrs.define(eq=False)
class Part(Stretch):
    """One value of a filter, in one millisecond."""

    pile: Pile = attrs.field(kw_only=True)

    def take_in(self, view: View) -> Outcome:
        """Hand over what is new; split what is full further."""
        hand = self.pile.new(self.filters.get("general_status", ""), view.inside)
        self.pile.left -= 1
        if self.pile.doubt:
            return self._confirm(hand, view)
        if view.verdict is not Verdict.FULL:
            return Outcome(hand)
        parts = list(self.split(view))
        gap = Doubtful(self.low, self.high, FULL_PAGE, self.filters)
        return Outcome(hand, list(parts), gaps=[] if parts else [gap])

    def _confirm(self, hand: list[Item], view: View) -> Outcome:
        """Say that the page was cut indeed, if there is more in a part than it had."""
        if not hand:
            alike = view.page.size >= self.pile.base.total()
            self.pile.told = self.pile.told and not alike
            if self.pile.doubt and not (self.pile.left or alike) and self.pile.is_whole():
                self.pile.doubt.settle(self.pile.base.total(), view.facts)
            return Outcome(then=list(self.split(view)) if alike else [], gaps=self.doubts())
        self.pile.doubt = None
        return Outcome(hand, [Again(self.low, self.high, pile=self.pile)])

    def sampled(self, first: View, *, whole: bool) -> Outcome:
        """Take the millisecond's page for whole; or look at its parts."""
        if whole:
            return Outcome()
        parts = list(self.split(first))
        return Outcome(then=list(parts), gaps=self.doubts())

    def refused(self) -> list[Doubtful]:
        """Return what is not proven as the service does not answer for this part."""
        self.pile.left -= 1
        return self.doubts()

    def doubts(self) -> list[Doubtful]:
        """Return the millisecond, if no part is left and the parts are not what its page was.

        Then they can't show whether the page was cut: a record whose status is not told is in no
        part, and one whose status is on its way may be in two, or be two.
        """
        pile = self.pile
        if pile.left or not pile.doubt or pile.is_whole():
            return []
        return [Doubtful(self.low, self.high, UNPROVEN)]

    def split(self, view: View) -> Iterator[Part]:
        """Yield the parts by the next filter that parts it."""
        for name in SPLITS:
            if name in self.pile.asked or name in self.filters:
                continue
            values = _values(name, view)
            if len(values) > 1:
                self.pile.left += len(values[:MOST_VALUES])
                for value in values[:MOST_VALUES]:
                    yield self._with({**self.filters, name: value})
                return

    def _with(self, filters: Mapping[str, str]) -> Part:
        return Part(self.low, self.high, filters=filters, pile=self.pile)


@attrs.define(eq=False)
class Again(Part):
    """The whole millisecond again: was its page cut, or is there a late record?"""

    def take_in(self, view: View) -> Outcome:
        """Take a page that did not grow for a cut one."""
        new = beyond(view.inside, self.pile.handed)
        self.pile.handed.update(item.key for item in new)
        size = self.pile.base.total()
        if len(view.inside) > size:
            return Outcome(new)
        view.facts.distrust(size)
        return Outcome(new, gaps=[Doubtful(self.low, self.high, UNPROVEN)])


def _values(name: str, view: View) -> list[str]:
    """Return the values of a field, those first that can still change."""
    logs = [item.record for item in view.inside if isinstance(item.record, EmailLog)]
    if name != "general_status":
        return list(dict.fromkeys(value for log in logs if (value := getattr(log, name))))
    told = [log.status.group_name for log in logs if log.status and log.status.group_name]
    return list(dict.fromkeys([*CHANGING, *GROUPS, *(one for one in told if one != "OK")]))
