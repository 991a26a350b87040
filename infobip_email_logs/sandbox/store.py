"""All the records of a sandbox, found by time, id and bulk without reading the others.

A record is known by its *ref*: the ordinal of a seeded one, ``-1 - n`` for the n-th added one.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload
from zlib import crc32

import attrs

from .records import NO_ERROR, PENDING, Record, milliseconds

if TYPE_CHECKING:
    from .traffic import Seeded

_EVER = sys.maxsize
Check = Callable[[int], bool]


def _no_fields() -> dict[str, frozenset[str]]:
    return {}


@attrs.frozen(kw_only=True)
class Wanted:
    """What a query asks for.

    Attributes:
        fields: The values that a field may have, by the name of the field in ``Record``.
        low: The first ``sent_at``, in milliseconds.
        high: The last ``sent_at``, in milliseconds.
        done_high: The last ``done_at``, in milliseconds; a record without one is judged by its
            ``sent_at``.
    """

    fields: Mapping[str, frozenset[str]] = attrs.field(factory=_no_fields)
    low: int = -_EVER
    high: int = _EVER
    done_high: int = _EVER

    def within(self, low: int, high: int) -> Wanted:
        """Return the same, held to a window of ``sent_at`` as well."""
        return attrs.evolve(self, low=max(self.low, low), high=min(self.high, high))


@attrs.frozen
class Moment:
    """When the records are looked at, in milliseconds.

    Attributes:
        now: The instant that ``visible_at`` is compared with.
        unsettled: A record that was sent after this is still pending.
    """

    now: int
    unsettled: int = _EVER


class Store:
    """The records of a sandbox: seeded ones, and those added since."""

    def __init__(self, seeded: Seeded) -> None:
        self.seeded = seeded
        self._added: list[Record] = []
        self._times = array("q", seeded.times)
        self._refs = array("q", range(len(seeded)))
        self._by_id: defaultdict[str | None, list[int]] = defaultdict(list)
        self._by_bulk: defaultdict[str | None, list[int]] = defaultdict(list)
        self._getters = seeded.getters
        self._some_hidden = False

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._refs)

    def add(self, records: Iterable[Record]) -> None:
        """Add records; they need not be in any order."""
        known = len(self._added)
        self._added.extend(records)
        fresh = range(known, len(self._added))
        self._some_hidden |= any(self._added[number].visible_at for number in fresh)
        for number in fresh:
            self._by_id[self._added[number].message_id].append(~number)
            self._by_bulk[self._added[number].bulk_id].append(~number)
        if len(fresh) == 1:
            self._insert(~known)
        elif fresh:
            self._merge(~number for number in fresh)

    def record(self, ref: int) -> Record:
        """Return a record."""
        return self.seeded.record(ref) if ref >= 0 else self._added[~ref]

    def sent(self, ref: int) -> int:
        """Return when a record was sent, in milliseconds."""
        return self.seeded.times[ref] if ref >= 0 else milliseconds(self._added[~ref].sent_at)

    def key(self, ref: int) -> tuple[int, int]:
        """Return what the records are sorted by: their time, then the order of their adding."""
        return self.sent(ref), ref if ref >= 0 else len(self.seeded) + ~ref

    def refs(self) -> Iterator[int]:
        """Return all records, in the order of their sending."""
        return iter(self._refs)

    def value(self, name: str, ref: int) -> str | None:
        """Return one of the fields that can be filtered by."""
        if ref >= 0:
            return self._getters[name](ref)
        value: str | None = getattr(self._added[~ref], name)
        return value

    def ref_at(self, position: int) -> int:
        """Return the record at a position: 0 is the one sent first."""
        return self._refs[position]

    def message_id(self, ref: int) -> str:
        """Return the message id of a record, empty without one."""
        found = self.seeded.message_id(ref) if ref >= 0 else self._added[~ref].message_id
        return found or ""

    def rank(self, ref: int) -> int:
        """Return a number that stays, and has nothing to do with when a record was sent."""
        return self.seeded.ranks[ref] if ref >= 0 else crc32(self.message_id(ref).encode())

    def find(self, wanted: Wanted, at: Moment, *, newest_first: bool = True) -> Iterator[int]:
        """Return the records that match and may be seen, in the order of their key.

        Args:
            wanted: What to look for.
            at: When.
            newest_first: The later ones first, else the earlier ones.
        """
        refs = self._candidates(wanted, newest_first=newest_first)
        for check in self._checks(wanted, at):
            refs = filter(check, refs)
        return refs

    def is_settled(self, ref: int, at: Moment) -> bool:
        """Return whether a record has its final status."""
        return self.sent(ref) <= at.unsettled

    def seen(self, ref: int, at: Moment) -> Record:
        """Return a record as it is at a moment: pending, when it is not settled yet."""
        record = self.record(ref)
        if self.is_settled(ref, at):
            return record
        return attrs.evolve(record, status=PENDING, error=NO_ERROR, done_at=None)

    def _candidates(self, wanted: Wanted, *, newest_first: bool) -> Iterator[int]:
        indexed = self._indexed(wanted.fields)
        if indexed is not None:
            held = [ref for ref in indexed if wanted.low <= self.sent(ref) <= wanted.high]
            return iter(sorted(held, key=self.key, reverse=newest_first))
        first = bisect_left(self._times, wanted.low)
        end = bisect_right(self._times, wanted.high)
        positions = range(first, end)
        refs = self._refs
        return (refs[at] for at in (reversed(positions) if newest_first else positions))

    def _indexed(self, fields: Mapping[str, frozenset[str]]) -> list[int] | None:
        """Return the records that an index leads to, or None without a fitting one."""
        if "message_id" in fields:
            return self._looked_up(fields["message_id"], self.seeded.with_message_id, self._by_id)
        if "bulk_id" in fields:
            return self._looked_up(fields["bulk_id"], self.seeded.with_bulk_id, self._by_bulk)
        return None

    @staticmethod
    def _looked_up(
        ids: Iterable[str],
        seeded: Callable[[str], Sequence[int]],
        added: Mapping[str | None, list[int]],
    ) -> list[int]:
        return [ref for one in ids for ref in (*seeded(one), *added.get(one, ()))]

    def _checks(self, wanted: Wanted, at: Moment) -> Iterator[Check]:
        for name, values in wanted.fields.items():
            pending = name == "general_status" and wanted.high > at.unsettled
            yield self._group_check(values, at) if pending else self._field_check(name, values)
        if wanted.done_high != _EVER:
            yield lambda ref: self._done(ref, at) <= wanted.done_high
        if self._some_hidden:
            yield lambda ref: self._is_visible(ref, at)

    def _field_check(self, name: str, values: frozenset[str]) -> Check:
        value, seeded = self.value, self._getters[name]
        return lambda ref: (seeded(ref) if ref >= 0 else value(name, ref)) in values

    def _group_check(self, values: frozenset[str], at: Moment) -> Check:
        """Return the check of the status group while some records are still pending."""
        settled = self._field_check("general_status", values)
        pending = PENDING.group_name in values
        return lambda ref: settled(ref) if self.is_settled(ref, at) else pending

    def _done(self, ref: int, at: Moment) -> int:
        if not self.is_settled(ref, at):
            return self.sent(ref)
        if ref >= 0:
            return self.seeded.done(ref) or self.seeded.times[ref]
        record = self._added[~ref]
        return milliseconds(record.done_at or record.sent_at)

    def _is_visible(self, ref: int, at: Moment) -> bool:
        moment = None if ref >= 0 else self._added[~ref].visible_at
        return moment is None or milliseconds(moment) <= at.now

    def _insert(self, ref: int) -> None:
        at = bisect_right(self._times, self.sent(ref))
        self._times.insert(at, self.sent(ref))
        self._refs.insert(at, ref)

    def _merge(self, refs: Iterable[int]) -> None:
        merged = sorted((*self._refs, *refs), key=self.key)
        self._refs = array("q", merged)
        self._times = array("q", (self.sent(ref) for ref in merged))


class Records(Sequence[Record]):
    """The records of a store in the order of their sending, made when they are looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._store)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        """Return the record at a position, or a list of those in a slice."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        return self._store.record(self._store.ref_at(index))
