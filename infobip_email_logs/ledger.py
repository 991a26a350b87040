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
from typing import TYPE_CHECKING

import attrs

from .bucket import GRACE as GRACE_SECONDS
from .messages import SECOND, Answer, Terms, longest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .messages import Ended, Message

GRACE = int(GRACE_SECONDS * SECOND)
"""How long after its connection was closed an abandoned request may still arrive."""

FIRST_PAUSE = SECOND
"""The silence after a 429 that does not say how long to wait; doubled while they go on."""

LONGEST_PAUSE = 60 * SECOND
SHORTEST_SILENCE = SECOND // 10
"""A ``Retry-After`` below this says nothing."""

STEP = SECOND
"""By how much more than a member's clock the ledger's may go on before it is taken for a step."""

FRESH = SECOND
"""How long a promise is good: whoever is to go later asks again first, and hears of 429s."""

SOON = SECOND // 100
"""Nobody is asked to come again sooner."""


@attrs.define
class Held:
    """A token that is reserved, or on the wire.

    Attributes:
        number: Its name; no two have the same, not even in the ledger that follows a lost one.
            Below zero where its member went without asking, and named it itself.
        member: Whose it is.
        go: From when on its request may leave.
        told: Whether its member was told.
    """

    number: int
    member: str
    go: int
    told: bool


@attrs.define
class Member:
    """A process.

    Attributes:
        spoke: When it was heard of.
        until: When it counts as gone, unless it is heard of again.
        back: When it asks again at the latest.
        terms: The limits that it keeps.
    """

    spoke: int
    until: int
    back: int
    terms: tuple[Terms, ...]


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
        queue: Whose callers wait, in the order in which they came.
        members: Who shares it.
        announced: The end of the silence that a 429 asked for.
        pause: The silence after a 429 that did not say; 0 while there is none.
        closed: When that began.
        probe_at: When the next probe may leave.
        probe: The token of the probe; 0 while there is none.
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
    queue: list[str] = attrs.Factory(list[str])
    members: dict[str, Member] = attrs.Factory(dict[str, Member])
    announced: int = 0
    pause: int = 0
    closed: int = 0
    probe_at: int = 0
    probe: int = 0

    def tell(self, clock: int, message: Message, *, at_least: int = 0) -> Answer:
        """Take a message, and answer it.

        Args:
            clock: What the clock of all members says.
            message: What a member says.
            at_least: How much time has certainly passed, should the clock have been set back.
        """
        lost = self._lost(message)
        now = self._time(clock, message, at_least)
        if lost:
            self.empty(now, message)
        self._forget(now)
        self._greet(now, message)
        for ended in message.ended:
            self._end(now, message.member, ended)
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
        busy = max(self.last, self.announced, self.probe_at, *leases, *self.full.values())
        return busy - self.last + 2 * (self.keeps + GRACE)

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
        """Let go of what has cooled, and of members that were not heard of for their lease."""
        gone = sorted((one.until, name) for name, one in self.members.items() if one.until <= now)
        for until, name in gone:
            self._bury(name, until)
        for _, name in gone:
            del self.members[name]
        self.cooling = self.cooling[bisect.bisect_right(self.cooling, now - self.keeps) :]
        self.full = {name: at for name, at in self.full.items() if at > now}

    def _bury(self, name: str, until: int) -> None:
        """Give back what a member had reserved; what it may have sent until then counts.

        It can't have sent what was to go when its last promises were no longer good.
        """
        good = self.members[name].spoke + FRESH
        for held in [one for one in self.held if one.member == name]:
            self.held.remove(held)
            self._no_probe(held.number, until)
            if held.told and held.go <= good:
                self._cool(until + GRACE)
        self.queue = [one for one in self.queue if one != name]

    def _greet(self, now: int, message: Message) -> None:
        self.members[message.member] = Member(now, now + message.lease, now, message.terms)
        self.keeps = max(self.keeps, longest(message.terms))

    def _end(self, now: int, name: str, ended: Ended) -> None:
        """Let a token cool, and learn from how its request ended."""
        mine = (name, ended.number)
        self.held = [one for one in self.held if (one.member, one.number) != mine]
        if ended.end != "unused":
            self._cool(now - ended.ago + (GRACE if ended.end == "abandoned" else 0))
        self._no_probe(ended.number, now)
        if ended.end == "throttled":
            self._close(now, now - ended.left, ended.retry_after)
        elif ended.end == "answered" and now - ended.left >= self.closed:
            self.pause, self.probe = 0, 0

    def _cool(self, arrived: int) -> None:
        bisect.insort(self.cooling, arrived)
        for one in {one for member in self.members.values() for one in member.terms}:
            if one.bucket:
                self.full[one.name] = max(self.full.get(one.name, 0), arrived) + one.cooling

    def _close(self, now: int, left: int, retry_after: int | None) -> None:
        """Let everybody be silent after a 429 that met a request which left at ``left``."""
        if retry_after is not None and retry_after >= SHORTEST_SILENCE:
            self.announced = max(self.announced, now + retry_after)
        elif left >= self.closed:  # not one of a volley that has been counted already
            self.pause = min(max(FIRST_PAUSE, 2 * self.pause), LONGEST_PAUSE)
            self.closed, self.probe, self.probe_at = now, 0, now + self.pause

    def _no_probe(self, number: int, now: int) -> None:
        """Let another request be the probe, if this one was to be it."""
        if number == self.probe:
            self.probe, self.probe_at = 0, now

    @property
    def _opens(self) -> int:
        return max(self.announced, self.probe_at if self.pause else 0)

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
        for one in mine:
            one.go = max(one.go, self.announced)
            if self.pause and one.number != self.probe:
                self.held.remove(one)
                self.queue.insert(0, message.member)
        self._fit(message.member, self._reserved(message), message.need)

    def _fit(self, name: str, mine: list[Held], need: int) -> None:
        """Let further callers come last; of those that left, the last ones go first."""
        waiting = self.queue.count(name)
        missing = need - len(mine) - waiting
        self.queue += [name] * missing
        for _ in range(min(-missing, waiting)):
            self.queue.reverse()
            self.queue.remove(name)
            self.queue.reverse()
        for one in mine[need:]:
            self.held.remove(one)
            self._no_probe(one.number, self.last)

    def _reserve(self, now: int) -> None:
        """Give those who wait their instants, as far as the return of tokens is known.

        A token that is there before a member asks again goes to the next one who asks in time.
        """
        later = self._later(now)
        while not (self.pause and self.probe) and (chosen := self._next(now, later)):
            name, go = chosen
            self.queue.remove(name)
            self.number = max(self.number, self.since) + 1
            self.held.append(Held(self.number, name, go, told=False))
            if go > now:
                bisect.insort(later, go)
            if self.pause:
                self.probe, self.probe_at = self.number, go + self.pause

    def _later(self, now: int) -> list[int]:
        """Return the instants that are promised for later, in order."""
        return sorted(one.go for one in self.held if one.go > now)

    def _next(self, now: int, later: Sequence[int]) -> tuple[str, int] | None:
        """Return who is next, and when; None where nobody can be told yet."""
        unsure = self.emptied > 0 and now < self.emptied + self.keeps
        for name in dict.fromkeys(self.queue):
            member = self.members[name]
            instant = self._instant(now, member.terms, later)
            if instant is None or (unsure and instant > now):
                continue
            if member.back <= max(instant, self._opens):
                return name, max(instant, self._opens)
        return None

    def _instant(self, now: int, terms: Sequence[Terms], later: Sequence[int]) -> int | None:
        """Return when one more request may go; None while that is not known.

        From then on, with it, all that went and all that cools are never more than the tokens:
        neither at once, nor when those go to whom a later instant was promised.
        """
        if any(len(self.held) >= one.tokens for one in terms):
            return None
        return max(now, *(self._after(one, later) for one in terms))

    def _after(self, terms: Terms, later: Sequence[int]) -> int:
        gone = len(self.held)
        for promised in reversed(later):
            instant = self._cooled(terms, terms.tokens - gone)
            if instant > promised:
                return instant
            gone -= 1
        return self._cooled(terms, terms.tokens - gone)

    def _cooled(self, terms: Terms, room: int) -> int:
        """Return from when on there are fewer that cool than there is room for."""
        if terms.bucket:
            return self.full.get(terms.name, 0) - (room - 1) * terms.cooling
        return self.cooling[-room] + terms.cooling if len(self.cooling) >= room else 0

    def _answer(self, now: int, message: Message) -> Answer:
        silence = max(0, self._opens - now)
        if message.leaves:
            self._bury(message.member, now)
            del self.members[message.member]
            return Answer(now, (), (), silence)
        mine = self._reserved(message)
        for one in mine:
            one.told = True
        places = self._places(now, message)
        back = min([message.lease // 3, *places[:1]])
        self.members[message.member].back = now + back
        grants = tuple((one.number, max(0, one.go - now)) for one in mine)
        return Answer(now, grants, places, silence)

    def _places(self, now: int, message: Message) -> tuple[int, ...]:
        """Return in how long those of a member who wait may go, at the earliest."""
        free = sorted(max(one.go, now) for one in self.held)
        places = [place for place, name in enumerate(self.queue) if name == message.member]
        instant = self._instant(now, message.terms, self._later(now))
        soonest = max(self._opens, now + SOON, instant or 0)
        return tuple(
            max(soonest, *(_bound(one, free, place, now) for one in message.terms)) - now
            for place in places
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
