"""The arithmetic of a limit that several processes share: no I/O, no clock.

A ledger is one account's book. Every process that shares it is a *member*, and says in one
message all that it has to say: which of its requests ended, which are on the wire, and how many
more of its callers wait. The answer tells *when* each of them may go, or when to ask again.
So nobody asks in vain, and a message or an answer that gets lost does no harm: the next message
says it all again.

A token is *held* while it is reserved, and until its request ended; then it is *cooling* for a
period. For each limit of N, the tokens whose request may have left and those that cool are never
more than N together, at any instant, so no window of the service ever holds more than N.
:mod:`~infobip_email_logs.redis_limiter` does the same in ``redis_limiter.lua``, line by line.

All instants and durations are whole microseconds.
"""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

import attrs

from .bucket import GRACE as GRACE_SECONDS
from .lesson import RECOVERY, Lesson
from .messages import SECOND, Answer, Terms, longest
from .quiet import FRESH, Quiet
from .turns import Turns, distinct

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from .messages import Ended, Message

GRACE = int(GRACE_SECONDS * SECOND)
"""How long after its connection was closed an abandoned request may still arrive."""

STEP = SECOND
"""By how much more than a member's clock the ledger's may go on before it is taken for a step."""

SOON = SECOND // 100
"""Nobody is asked to come again sooner."""

INTERVALS = 2
"""The first silence after a 429 that does not say how long to wait, in intervals of the rate."""

KEPT = "kept"
"""What the bucket is called of which a 429 taught."""


@attrs.define
class Held:
    """A token that is reserved, or on the wire.

    Attributes:
        number: Its name; no two have the same, not even in the ledger that follows a lost one.
            Below zero where its member went without asking, and named it itself.
        member: Whose it is.
        go: From when on its request may leave.
        told: Whether its member was told.
        bulk: Whether it was reserved for a bulk pull.
        stays: Whether it was, and no lookup may have it instead.
    """

    number: int
    member: str
    go: int
    told: bool
    bulk: bool = False
    stays: bool = False


@attrs.define
class Member:
    """A process.

    Attributes:
        spoke: When it was heard of.
        until: When it counts as gone, unless it is heard of again.
        back: When it asks again at the latest.
        terms: The limits that it keeps.
        said: Which of its messages was the last.
    """

    spoke: int
    until: int
    back: int
    terms: tuple[Terms, ...]
    said: int = 0


@attrs.define
class Ledger:
    """What is known of an account's requests.

    Attributes:
        since: When it was begun.
        last: When it was last looked at.
        shift: What its time is ahead of the clock's.
        number: The last token's number.
        keeps: How long a request that ended is remembered.
        emptied: When it was taken for used up, because what came before was lost; 0 where not.
        cooling: When each request that ended had arrived, at the latest; in order.
        full: For each bucket when it will be full again.
        held: The tokens that are reserved or on the wire.
        members: Who shares it.
        turns: Whose callers wait.
        quiet: The silence that 429s ask for.
        refused: When requests arrived that were refused; what they count for is forgiven once
            another one passes.
        lesson: What 429s taught, until it is forgotten.
    """

    since: int
    last: int
    shift: int = 0
    number: int = 0
    keeps: int = 0
    emptied: int = 0
    cooling: list[int] = attrs.Factory(list[int])
    full: dict[str, int] = attrs.Factory(dict[str, int])
    held: list[Held] = attrs.Factory(list[Held])
    members: dict[str, Member] = attrs.Factory(dict[str, Member])
    turns: Turns = attrs.Factory(Turns)
    quiet: Quiet = attrs.Factory(Quiet)
    refused: list[int] = attrs.Factory(list[int])
    lesson: Lesson | None = None

    def tell(self, clock: int, message: Message, *, at_least: int = 0) -> Answer:
        """Take a message, and answer it.

        Args:
            clock: What the clock of all members says.
            message: What a member says.
            at_least: How much time has certainly passed, should the clock have been set back.
        """
        said = self._said(message)
        if message.serial < said:
            return Answer(self.last)  # to nobody: it was given up, and is not true any more
        lost = self._lost(message)
        now = self._time(clock, message, at_least)
        if lost:
            self.empty(now, message)
        self._forget(now)
        self._greet(now, message)
        self._recover(now)
        self._let_go(message.member, {one.number for one in message.ended})
        for ended in message.ended:
            if ended.after >= said:  # else it was told of, and the answer got lost
                self._end(now, message, ended)
        self._hold(now, message)
        self._queue_up(message)
        self._reserve(now)
        return self._answer(now, message)

    def empty(self, since: int, message: Message) -> None:
        """Take it that all that the limits allow was asked for, since what came before was lost.

        Nothing goes before a lease is over: by then those who were promised something before have
        spoken, or are gone. Until all of that has cooled, nobody is promised anything.
        """
        terms = message.terms
        start = since + max(0, message.lease - longest(terms))
        self.emptied = start
        self.keeps = max(self.keeps, longest(terms))
        most = max((one.tokens for one in terms if not one.bucket), default=0)
        self.cooling = sorted([*self.cooling, *[start] * most])
        for one in terms:
            if one.bucket:
                self.full[one.name] = start + one.tokens * one.cooling

    def expires_in(self) -> int:
        """Return for how long it has to be kept when nobody is heard of."""
        leases = (one.until for one in self.members.values())
        quiet, taught = self.quiet, int(RECOVERY * SECOND) if self.lesson else 0
        busy = max(self.last, quiet.announced, quiet.probe_at, *leases, *self.full.values())
        return max(busy - self.last + 2 * (self.keeps + GRACE), taught)

    def _said(self, message: Message) -> int:
        """Return which message of a member was the last that came here."""
        known = self.members.get(message.member)
        return known.said if known else 0

    def _lost(self, message: Message) -> bool:
        """Say whether the member has seen what is not written here: a part was lost.

        A member that was silent for long need not remember: all that it saw has cooled.
        """
        if not message.seen or message.since > longest(message.terms) + GRACE:
            return False
        return self.last < message.seen or (self.since > message.seen and not self.emptied)

    def _time(self, clock: int, message: Message, at_least: int) -> int:
        """Return the ledger's time, which goes on steadily where the clock takes a step."""
        now = clock + self.shift
        if now < self.last:
            now = self.last + at_least
        ahead = now - message.seen - message.since
        if self.since <= message.seen and ahead > STEP:
            now = max(self.last, now - ahead)
        self.shift, self.last = now - clock, now
        return now

    def _forget(self, now: int) -> None:
        """Let go of what has cooled, and of members that were not heard of for their lease.

        That a bucket was full lately still matters where it is told late that a request ended.
        """
        gone = sorted((one.until, name) for name, one in self.members.items() if one.until <= now)
        for until, name in gone:
            self._bury(name, until)
        for _, name in gone:
            del self.members[name]
        self.cooling = self.cooling[bisect.bisect_right(self.cooling, now - self.keeps) :]
        self.refused = [arrived for arrived in self.refused if arrived > now - self.keeps]
        self.full = {name: at for name, at in self.full.items() if at > now - self.keeps}

    def _bury(self, name: str, until: int) -> None:
        """Give back what a member had reserved; what it may have sent until then counts.

        It can't have sent what was to go when its last promises were no longer good.
        """
        good = self.members[name].spoke + FRESH
        held_by = [one for one in self.held if one.member == name]
        self.held = [one for one in self.held if one.member != name]
        for held in held_by:
            self.quiet.withdraw(until, held.number)
            if held.told and held.go <= good:
                self._cool(until + GRACE)
        self.turns.forget(name)

    def _greet(self, now: int, message: Message) -> None:
        until = now + message.lease
        self.members[message.member] = Member(now, until, now, message.terms, message.serial)
        self.keeps = max(self.keeps, longest(message.terms))

    def _let_go(self, name: str, numbers: Container[int]) -> None:
        """Hold these tokens of a member no longer: in one go, since there may be thousands."""
        self.held = [one for one in self.held if one.member != name or one.number not in numbers]

    def _end(self, now: int, message: Message, ended: Ended) -> None:
        """Let a token cool, and learn from how its request ended."""
        self.quiet.withdraw(now, ended.number)
        left, arrived = now - ended.left, now - ended.ago
        if ended.end == "throttled":
            self._refuse(now, message.terms, ended)
        elif ended.end != "unused":
            self._cool(arrived + (GRACE if ended.end == "abandoned" else 0))
            if left >= self.quiet.heard:
                self._go_on(arrived, passed=ended.end == "answered")

    def _refuse(self, now: int, terms: Sequence[Terms], ended: Ended) -> None:
        """Be silent after a 429, and learn from it if it is news; else it counts all the same."""
        rate, burst = self._allowed(terms)
        pause = INTERVALS * math.ceil(SECOND / (self.lesson.rate if self.lesson else rate))
        left = now - ended.left
        if self.quiet.close(now, left, ended.retry_after, pause, max(self.number, self.since)):
            self._learn(now, rate, burst, (ended.retry_after or 0) / SECOND)
        else:
            self._cool(now - ended.ago)
            self.refused.append(now - ended.ago)
        for kept in self._kept():
            full = now + kept.tokens * kept.cooling
            self.full[KEPT] = max(self.full.get(KEPT, 0), full)

    def _allowed(self, terms: Sequence[Terms]) -> tuple[float, int]:
        """Return the rate and the burst of several limits."""
        return min(one.rate for one in terms), min(one.tokens for one in terms)

    def _learn(self, now: int, rate: float, burst: int, silence: float) -> None:
        at, before = now / SECOND, self._kept()
        if self.lesson:
            self.lesson.refused(at)
        else:
            self.lesson = Lesson.first(at, rate=rate, burst=burst, silence=silence)
        self._adjust(now, before)

    def _recover(self, now: int) -> None:
        """Take into account what has recovered by now."""
        if self.lesson:
            before = self._kept()
            self.lesson.recover(now / SECOND)
            if self.lesson.over:
                self.lesson = None
                self.full.pop(KEPT, None)
            self._adjust(now, before)

    def _kept(self) -> tuple[Terms, ...]:
        """Return what is to be kept besides the limits since a 429."""
        if not self.lesson:
            return ()
        interval = math.ceil(SECOND / self.lesson.rate)
        return (Terms(int(self.lesson.burst), interval, bucket=True, name=KEPT),)

    def _adjust(self, now: int, before: Sequence[Terms]) -> None:
        """Go on with another burst and rate; what is missing is missing on, unless nothing is."""
        for old, new in zip(before, self._kept(), strict=False):
            owed = max(0, self.full.get(KEPT, 0) - now) / old.cooling
            if owed:
                owed = max(0.0, owed + new.tokens - old.tokens)
                self.full[KEPT] = now + int(owed * new.cooling)

    def _go_on(self, arrived: int, *, passed: bool) -> None:
        """Take it that a request reached the service after all had heard of the last 429."""
        for kept in self._kept():
            self.full[KEPT] = max(self.full.get(KEPT, 0), arrived) + kept.cooling
        if passed:
            self.quiet.open()
            if self.lesson and self.lesson.passed():
                self._forgive()

    def _forgive(self) -> None:
        """Let those that were refused count no longer."""
        for arrived in self.refused:
            self.cooling.remove(arrived)
        self.refused = []

    def _cool(self, arrived: int) -> None:
        bisect.insort(self.cooling, arrived)
        for one in {one for member in self.members.values() for one in member.terms}:
            if one.bucket:
                self.full[one.name] = max(self.full.get(one.name, 0), arrived) + one.cooling

    def _hold(self, now: int, message: Message) -> None:
        """Know every token that a member has on the wire, even if it was forgotten here."""
        known = {one.number for one in self.held if one.member == message.member}
        new = [number for number in message.out if number not in known]
        self.held += [Held(number, message.member, now, told=True) for number in new]

    def _reserved(self, message: Message) -> list[Held]:
        """Return the tokens of a member that are not on the wire yet, the first to go first."""
        out = set(message.out)
        mine = (one for one in self.held if one.member == message.member)
        return sorted((one for one in mine if one.number not in out), key=_by_instant)

    def _queue_up(self, message: Message) -> None:
        """Let as many callers of a member wait as it has; no reserved token goes into a silence."""
        mine = self._reserved(message)
        recalled = [one for one in mine if one.number <= self.quiet.recalled]
        self._let_go(message.member, {one.number for one in recalled})
        for one in recalled:
            self.quiet.withdraw(self.last, one.number)
            self.turns.lane(bulk=one.bulk).insert(0, message.member)
        mine = [one for one in mine if one.number > self.quiet.recalled]
        for one in mine:
            one.go = max(one.go, self.quiet.announced)
        for bulk, count in ((False, message.lookups), (True, message.bulk)):
            self._fit(message.member, [one for one in mine if one.bulk is bulk], count, bulk=bulk)

    def _fit(self, name: str, mine: list[Held], count: int, *, bulk: bool) -> None:
        """Keep no more tokens of one priority than are needed; for other callers it waits."""
        self._let_go(name, {one.number for one in mine[count:]})
        for one in mine[count:]:
            self.quiet.withdraw(self.last, one.number)
        self.turns.fit(name, max(0, count - len(mine)), bulk=bulk)

    def _reserve(self, now: int) -> None:
        """Give those who wait their instants, as far as the return of tokens is known.

        A token that is there before a member asks again goes to the next one who asks in time.
        """
        later = self._later(now)
        self._prefer_lookups(now, later)
        while not self.quiet.probing and (chosen := self._next(now, later)):
            name, bulk, go = chosen
            stays = self.turns.serve(name, bulk=bulk)
            token = Held(self._new_number(), name, go, told=False, bulk=bulk, stays=stays)
            self.held.append(token)
            self._look_for_bursts(go, later)
            if go > now:
                bisect.insort(later, go)
            self.quiet.send_probe(self.number, go)

    def _look_for_bursts(self, go: int, later: Sequence[int]) -> None:
        """Take note that a request leaves while another might, too, since a 429."""
        if self.lesson:
            another = self._instant(0, (), later)
            if another is not None and another <= go:
                self.lesson.burst_at = go / SECOND

    def _new_number(self) -> int:
        self.number = max(self.number, self.since) + 1
        return self.number

    def _prefer_lookups(self, now: int, later: Sequence[int]) -> None:
        """Let lookups have what was promised to bulk pulls whose members ask again before."""
        for held in self._loose() if self.turns.lookups else ():
            if self.turns.bulk_first:
                held.stays = True
                self.turns.keep()
            elif name := self._sooner(now, later, held.go):
                self.turns.bulk.insert(0, held.member)
                self.turns.serve(name, bulk=False)
                number = self._new_number()
                self.quiet.hand_on(held.number, number)
                held.number, held.member, held.told, held.bulk = number, name, False, False

    def _sooner(self, now: int, later: Sequence[int], go: int) -> str | None:
        """Return whose lookup has to wait for longer than ``go``, but asks again by then."""
        for name in distinct(self.turns.lookups):
            member = self.members[name]
            instant = self._instant(now, member.terms, later)
            if member.back <= go and (instant is None or instant > go):
                return name
        return None

    def _loose(self) -> list[Held]:
        """Return what was promised to bulk pulls and may be taken back, the first to go first."""
        bulk = (one for one in self.held if one.bulk and not one.stays)
        return sorted((one for one in bulk if not self._is_firm(one)), key=_by_instant)

    def _is_firm(self, held: Held) -> bool:
        """Say whether a token's member may go with it before it asks again."""
        return held.told and held.go <= self.members[held.member].spoke + FRESH

    def _later(self, now: int) -> list[int]:
        """Return the instants that are promised for later, in order."""
        return sorted(one.go for one in self.held if one.go > now)

    def _next(self, now: int, later: Sequence[int]) -> tuple[str, bool, int] | None:
        """Return who is next, whether with a bulk pull, and when; None where none can be told."""
        unsure = self.emptied > 0 and now < self.emptied + self.keeps
        for name, bulk in self.turns.candidates():
            member = self.members[name]
            instant = self._instant(now, member.terms, later)
            if instant is None or (unsure and instant > now):
                continue
            go = max(instant, self.quiet.opens)
            if member.back <= go:
                return name, bulk, go
        return None

    def _instant(self, now: int, terms: Sequence[Terms], later: Sequence[int]) -> int | None:
        """Return when one more request may go; None while that is not known.

        From then on, with it, all that went and all that cools are never more than the tokens:
        neither at once, nor when those go to whom a later instant was promised.
        """
        agreeing = (*terms, *self._kept())
        if any(len(self.held) >= one.tokens for one in agreeing):
            return None
        return max(now, *(self._after(one, later) for one in agreeing))

    def _after(self, terms: Terms, later: Sequence[int]) -> int:
        """Return the earliest instant for one limit.

        With all who were promised something; or without the last of them, where it is not after
        those: there is only less to wait for then.
        """
        before = len(later)
        while True:
            gone = len(self.held) - len(later) + before
            instant = self._cooled(terms, terms.tokens - gone)
            if not before or instant > later[before - 1]:
                return instant
            before = bisect.bisect_left(later, instant, 0, before)

    def _cooled(self, terms: Terms, room: int) -> int:
        """Return from when on there are fewer that cool than there is room for."""
        if terms.bucket:
            return self.full.get(terms.name, 0) - (room - 1) * terms.cooling
        return self.cooling[-room] + terms.cooling if len(self.cooling) >= room else 0

    def _answer(self, now: int, message: Message) -> Answer:
        told = Answer(now, silence=max(0, self.quiet.opens - now))
        for kept in self._kept():
            told = attrs.evolve(told, burst=kept.tokens, interval=kept.cooling)
        if message.leaves:
            self._bury(message.member, now)
            del self.members[message.member]
            return told
        mine = self._reserved(message)
        for one in mine:
            one.told = True
        places = self._places(now, message)
        self.members[message.member].back = now + min([message.lease // 3, *places[:1]])
        grants = tuple((one.number, max(0, one.go - now)) for one in mine)
        return attrs.evolve(told, grants=grants, places=places)

    def _places(self, now: int, message: Message) -> tuple[int, ...]:
        """Return in how long those of a member who wait may go, at the earliest; in order."""
        free = sorted(max(one.go, now) for one in self.held)
        instant = self._instant(now, message.terms, self._later(now))
        soonest = max(self.quiet.opens, now + SOON, instant or 0)
        agreeing = (*message.terms, *self._kept())
        return tuple(
            sorted(
                max(soonest, *(_bound(one, free, place, now) for one in agreeing)) - now
                for place in self.turns.places(message.member)
            )
        )


def _bound(terms: Terms, free: Sequence[int], place: int, now: int) -> int:
    """Return when somebody may go at the earliest, behind so many others.

    Args:
        terms: The limit.
        free: When each token that is held may begin to cool, at the earliest; in order.
        place: How many others come first.
        now: The ledger's time.
    """
    behind = place - max(0, terms.tokens - len(free))
    if behind < 0:
        return now
    rounds, at = divmod(behind, len(free) or terms.tokens)
    return (free[at] if free else now) + (rounds + 1) * terms.cooling


def _by_instant(held: Held) -> tuple[int, int]:
    return held.go, held.number
