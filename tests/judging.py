"""What a pull in a world must deliver, may deliver and must say; and what is wrong with one."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs
from worlds import GROUPS, MILLISECOND, NOW, RETENTION, World, described

from infobip_email_logs import EmailLog, Gap, PullReport
from infobip_email_logs.sandbox import Record

BESIDE = 1
"""Milliseconds beside one that has to be asked for with it: who knows whether bounds count?"""

NARROW = 4
"""The milliseconds, at most, of a gap that a pile-up in one of them is the reason for."""

CLOCK = 1_000
"""The milliseconds that the service's clock is cut by when it tells the time."""

EDGE = 5_000 + CLOCK
"""The milliseconds after the first answer in which records may expire without a word."""

LAST = 999_000
"""The microseconds of the last millisecond of a second."""

Key = tuple[Any, ...]
Life = tuple[float, float]


@attrs.frozen(kw_only=True)
class Told:
    """What came of a pull.

    Attributes:
        logs: What was delivered.
        gaps: What was said to be missing; None where it was said that nothing is.
        error: What else went wrong, as text; empty when nothing did.
        report: What the pull said of itself at the end.
        began: When it began, in milliseconds from :data:`NOW`.
        ended: When it ended.
        requests: How many requests arrived; one that the pull gave up need not.
    """

    logs: Sequence[EmailLog]
    gaps: Sequence[Gap] | None
    error: str
    report: PullReport
    began: int
    ended: int
    requests: int


def ms(instant: datetime) -> float:
    """Return milliseconds from :data:`NOW`, with their fraction."""
    return (instant - NOW) / MILLISECOND


def sent(record: Record) -> int:
    """Return when a record was sent, in milliseconds from :data:`NOW`."""
    return (record.sent_at - NOW) // MILLISECOND


@attrs.frozen(slots=False)
class Truth:
    """What a perfect service knew during a pull."""

    world: World
    told: Told

    @cached_property
    def sure(self) -> list[Record]:
        """The records that matched throughout, and that must be delivered."""
        return [one for one in self.possible if self._throughout(one) and self._surely_inside(one)]

    @cached_property
    def expired(self) -> list[Record]:
        """The records that matched at first and expired meanwhile: delivered, or in a gap."""
        return [one for one in self.possible if self.expires(one) and self._surely_inside(one)]

    @cached_property
    def possible(self) -> list[Record]:
        """The records that matched at any time, and that may be delivered."""
        return [one for one in self.world.records if self._at_any_time(one)]

    @cached_property
    def keys(self) -> Counter[Key]:
        """How many of the records that may be delivered are known by the same."""
        return Counter(_key(one, self.world) for one in self.possible)

    @cached_property
    def crowds(self) -> Mapping[int, Mapping[str, int]]:
        """How many records of each group, and of all, a millisecond and its neighbours hold."""
        counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for one in self.world.records:
            near = range(sent(one) - BESIDE, sent(one) + BESIDE + 1)
            for at in set(map(self.world.shown, near)):
                if self._ever(one):
                    counts[at].update({"all": 1, one.general_status or "none": 1})
        return counts

    @cached_property
    def hides(self) -> bool:
        """Whether some record does not tell when it was sent, so that no end of a page is known."""
        absent = self.world.settings.absent
        return any("sentAt" in one.hidden | absent for one in self.world.records if self._ever(one))

    def is_crowded(self, at: int) -> bool:
        """Return whether a page may not hold all that matches in a millisecond."""
        return self.crowds[at]["all"] >= self._reach

    def is_ambiguous(self, at: int) -> bool:
        """Return whether nothing can show that a page of a millisecond was not cut.

        That is where there are no others, and its records can't be told apart by their status.
        """
        records = [one for one in self.world.records if self._ever(one)]
        shown = self.world.shown
        near = {at - BESIDE, at, at + BESIDE}
        beside = [one for one in records if near & {shown(sent(one) + off) for off in (-1, 0, 1)}]
        moves = at + self.world.settings.pending_for * 1000 > self.told.began
        keys = {_key(one, self.world) for one in beside}
        groups = {one.general_status for one in beside}
        apart = len(keys) == len(beside) and len(groups) > 1 and groups <= {*GROUPS}
        return self.world.suspicious <= len(beside) and (moves or not apart)

    def is_out_of_reach(self, record: Record) -> bool:
        """Return whether there may be no query that gets a record of a crowded millisecond.

        It may be in none of the groups that can be asked for, or in one that is as crowded, or on
        its way from one to another; or be taken for its twin that is.
        """
        at, group = self.world.shown(sent(record)), record.general_status
        if not self.is_crowded(at):
            return False
        if self.world.query.general_status or group not in GROUPS:
            return True
        moves = at + self.world.settings.pending_for * 1000 > self.told.began
        return (
            moves
            or self.keys[_key(record, self.world)] > 1
            or self.crowds[at][group] >= self._reach
        )

    @property
    def _reach(self) -> float:
        """The records of one millisecond that can't be had in full any more."""
        cursors_last = self.world.drawn["cursor_life"] in {"long", "repeats"}
        return math.inf if self.world.version == 4 and cursors_last else self.world.capacity

    def _throughout(self, record: Record) -> bool:
        first, last = self._life(record)
        return first <= self.told.began and self.told.ended <= last

    def expires(self, record: Record) -> bool:
        """Return whether a record matched at first, and expired meanwhile."""
        first, last = self._life(record)
        expiry = sent(record) + RETENTION
        told = self.told
        return first <= told.began and self._edge <= last == expiry < told.ended

    @property
    def _edge(self) -> float:
        """The instant until which records may expire without a word."""
        return self.told.began + EDGE + self.world.settings.latency[1] * 1000

    def _ever(self, record: Record) -> bool:
        """Return whether the service may have found a record, just beside the window too."""
        first, last = self._life(record)
        return first <= self.told.ended and self.told.began <= last and self._inside(record, 2)

    def _at_any_time(self, record: Record) -> bool:
        hides = "sentAt" in record.hidden | self.world.settings.absent
        near = hides or not self.world.settings.fraction
        return self._ever(record) and self._inside(record, 1 if near else 0, rounded=True)

    def _inside(self, record: Record, beside: int, *, rounded: bool = False) -> bool:
        """Return whether a record was sent in the window, whose bounds belong to it."""
        low, high = self._window
        if rounded:
            low, high = _floor(low), -_floor(-high)
        return any(low - beside <= at <= high + beside for at in self._times(record))

    def _surely_inside(self, record: Record) -> bool:
        """Return whether a record was sent in the window, by its own time and as it is told."""
        low, high = self._window
        return all(low <= at <= high for at in self._times(record))

    def _times(self, record: Record) -> tuple[int, int]:
        return sent(record), self.world.shown(sent(record))

    @property
    def _window(self) -> tuple[float, float]:
        query = self.world.query
        low = ms(query.sent_since) if query.sent_since else -math.inf
        return low, ms(query.sent_until) if query.sent_until else math.inf

    def _life(self, record: Record) -> Life:
        """Return from when until when a record matches the filters, wherever it was sent."""
        settings, query, at = self.world.settings, self.world.query, sent(record)
        appears = ms(record.visible_at) if record.visible_at else -math.inf
        first: float = max(at + round(settings.visible_after * 1000), appears)
        never = (math.inf, -math.inf)
        if query.sender not in (None, record.sender):
            return never
        if query.destination not in (None, record.destination):
            return never
        pending = self._pending_until(record)
        if query.general_status is None or query.general_status == record.general_status:
            is_final = query.general_status not in (None, "PENDING")
            return (max(first, pending) if is_final else first), at + RETENTION
        return (
            (first, min(pending - 1, at + RETENTION))
            if query.general_status == "PENDING"
            else never
        )

    def _pending_until(self, record: Record) -> float:
        return sent(record) + round(self.world.settings.pending_for * 1000)


def _floor(value: float) -> float:
    return value if math.isinf(value) else math.floor(value)


def problems(world: World, told: Told) -> list[str]:
    """Return what is wrong with a pull, each in a line; nothing when it is right."""
    truth = Truth(world, told)
    if told.error:
        return [*_of_error(truth), *_too_much(truth)]
    return [*_too_much(truth), *_too_little(truth), *_of_gaps(truth), *_of_report(truth)]


def _of_error(truth: Truth) -> Iterator[str]:
    """Yield the error, unless it is that of a service whose cursor goes in circles."""
    circles = truth.world.settings.cursor_repeats_after is not None
    if not (circles and "DecodeError: the service's cursor repeats" in truth.told.error):
        yield f"{truth.told.error.splitlines()[-1]}: {truth.told.error}"


def _too_much(truth: Truth) -> Iterator[str]:
    """Yield what was delivered and never matched, or more often than it matched."""
    delivered, limit = truth.told.logs, truth.world.query.limit
    for key, number in (Counter(map(_key_of_log, delivered)) - truth.keys).items():
        yield f"{'doubled' if key in truth.keys else 'wrong'}: {number} x {key}"
    if limit and len(delivered) > limit:
        yield f"more than the limit of {limit}: {len(delivered)}"


def _too_little(truth: Truth) -> Iterator[str]:
    """Yield the records that were neither delivered nor said to be out of reach, or expired."""
    logs, limit = truth.told.logs, truth.world.query.limit
    if limit and len(logs) >= limit:
        return
    delivered = Counter(map(_key_of_log, logs))
    records: defaultdict[Key, list[Record]] = defaultdict(list)
    for one in (*truth.sure, *truth.expired):
        records[_key(one, truth.world)].append(one)
    for key, equal in records.items():
        excused = sum(_is_excused(truth, one) for one in equal)
        if (number := len(equal) - delivered[key]) > excused:
            yield f"missing: {number} x {described(equal[0])}"


def _is_excused(truth: Truth, record: Record) -> bool:
    covered = any(_covers(gap, record) for gap in truth.told.gaps or ())
    return covered and (truth.hides or truth.expires(record) or truth.is_out_of_reach(record))


def _covers(gap: Gap, record: Record) -> bool:
    """Return whether a record is in a gap; any record may have been pending."""
    since, until = gap.since or record.sent_at, gap.until or record.sent_at
    return since <= record.sent_at <= until and all(
        getattr(record, name) in values or (name, values) == ("general_status", ("PENDING",))
        for name, values in gap.filters.items()
    )


def _of_gaps(truth: Truth) -> Iterator[str]:
    for gap in truth.told.gaps or ():
        if not (truth.hides or _is_crowd(truth, gap) or _is_expiry(truth, gap)):
            yield f"no reason for a gap: {gap}"
    if truth.told.gaps is not None and not truth.told.gaps:
        yield "incomplete, without a gap"


def _is_crowd(truth: Truth, gap: Gap) -> bool:
    whole = not truth.world.settings.fraction or (gap.until and gap.until.microsecond == LAST)
    narrow = NARROW + CLOCK if whole else NARROW
    if not (gap.since and gap.until) or ms(gap.until) - ms(gap.since) > narrow:
        return False
    first = truth.world.shown(math.floor(ms(gap.since)))
    return any(
        truth.is_crowded(at) or truth.is_ambiguous(at)
        for at in range(first, math.ceil(ms(gap.until)) + 1)
    )


def _is_expiry(truth: Truth, gap: Gap) -> bool:
    until = truth.world.query.sent_until
    if until and ms(until) <= truth.told.began - RETENTION + CLOCK:
        return True  # nobody knows what was in such a window
    if truth.told.ended == truth.told.began or not gap.until:
        return False
    return ms(gap.until) <= truth.told.ended - RETENTION + 2 * CLOCK


def _of_report(truth: Truth) -> Iterator[str]:
    """Yield where the report is at odds with what was delivered and said."""
    told, report = truth.told, truth.told.report
    if report.records != len(told.logs):
        yield f"{report.records} records reported, {len(told.logs)} delivered"
    if not 0 <= report.requests - told.requests <= truth.world.drawn["concurrency"]:
        yield f"{report.requests} requests reported, {told.requests} arrived"
    if report.complete != (told.gaps is None):
        yield f"reported complete={report.complete}, with the gaps {told.gaps}"
    if told.gaps and tuple(told.gaps) != report.gaps:
        yield f"the gaps of the report are others: {report.gaps}"


def _key(record: Record, world: World) -> Key:
    """Return by what a record is known, whatever becomes of it."""
    hides = "sentAt" in record.hidden | world.settings.absent
    return (
        record.message_id,
        record.destination,
        record.bulk_id,
        None if hides else world.shown(sent(record)),
        record.sender,
        record.text,
    )


def _key_of_log(log: EmailLog) -> Key:
    return (
        log.message_id,
        log.destination,
        log.bulk_id,
        log.sent_at and (log.sent_at - NOW) // MILLISECOND,
        log.sender,
        log.text,
    )
