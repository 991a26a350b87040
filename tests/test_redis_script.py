"""The script in Redis and the ledger beside it: whatever is said to both, they answer alike."""

import itertools
import random
import time
from collections.abc import Iterator

import attrs
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from infobip_email_logs.ledger import Ledger
from infobip_email_logs.messages import Answer, Ended, Message, Terms
from infobip_email_logs.redis_limiter import PATIENCE, SCRIPT, from_reply, to_json

CLOCK = "redis.call('TIME')"
AGE = "redis.pcall('INFO', 'server')"
HANDED_IN = SCRIPT.replace(CLOCK, "cjson.decode(ARGV[2])").replace(AGE, "'uptime_in_seconds:9999'")
"""The script, but for its clock, which is told to it, and for the server's age."""

START = 1_000_000_000_000_000
MEMBERS = ("one", "two", "three")
TERMS = st.lists(
    st.builds(Terms, st.integers(1, 4), st.integers(1_000, 240_000), st.booleans()),
    min_size=1,
    max_size=2,
).map(tuple)
ENDS = st.sampled_from(["answered", "answered", "throttled", "abandoned", "unused"])
keys = (f"{{script}}:{number}" for number in itertools.count())


@attrs.frozen
class Step:
    """What happens next: time passes, and a member says something."""

    member: str
    passes: int
    lookups: int
    bulk: int
    ends: str
    how_many: int
    goes: bool
    ago: int
    retry_after: int | None
    forgets: bool
    leaves: bool
    repeats: int = 0


STEPS = st.lists(
    st.builds(
        Step,
        member=st.sampled_from(MEMBERS),
        passes=st.one_of(
            st.integers(0, 400_000),
            st.integers(-3_000_000, 9_000_000),
            st.integers(0, 400_000_000),
        ),
        lookups=st.integers(0, 5),
        bulk=st.integers(0, 5),
        ends=ENDS,
        how_many=st.integers(0, 2),
        goes=st.booleans(),
        ago=st.integers(0, 200_000),
        retry_after=st.one_of(st.none(), st.integers(0, 2_000_000)),
        forgets=st.integers(0, 9).map(lambda number: number == 0),
        leaves=st.integers(0, 9).map(lambda number: number == 0),
        repeats=st.integers(-8, 2).map(lambda number: max(0, number)),
    ),
    min_size=1,
    max_size=25,
)


class Both:
    """The script and the ledger, and members who speak to both of them."""

    def __init__(
        self, server: redis.Redis, terms: tuple[Terms, ...], *, lease: int = 500_000
    ) -> None:
        self._server = server
        self._terms = terms
        self._lease = lease
        self._key = next(keys)
        self._clock = START
        self._ledger: Ledger | None = None
        self._seen: dict[str, tuple[int, int]] = {}
        self._out: dict[str, list[int]] = {name: [] for name in MEMBERS}
        self._strangers = itertools.count(-1, -1)
        self._said: dict[str, list[Message]] = {name: [] for name in MEMBERS}
        self._lost: dict[str, list[Ended]] = {name: [] for name in MEMBERS}

    def say(self, step: Step) -> tuple[Answer, Answer]:
        """Say the same to both, and return both answers."""
        self._clock += step.passes
        message = self._message(step)
        if step.repeats:
            said = self._said[step.member]
            message = said[-min(step.repeats, len(said))]
        if step.forgets:
            self._server.delete(self._key)
            self._ledger = None
        self._ledger = self._ledger or Ledger(since=self._clock, last=self._clock)
        model = self._ledger.tell(self._clock, message)
        instant = f"[{self._clock // 1_000_000},{self._clock % 1_000_000}]"
        told = self._server.eval(HANDED_IN, 1, self._key, to_json(message), instant)
        if not step.repeats:
            self._seen[step.member] = (model.now, self._clock)
        if step.goes:
            self._out[step.member] += [number for number, wait in model.grants if not wait]
        return model, from_reply(told)

    def _message(self, step: Step) -> Message:
        out = self._out[step.member]
        ended = [out.pop(0) for _ in range(min(step.how_many, len(out)))]
        if step.how_many == 2 and step.goes:
            out.append(next(self._strangers))
        after = len(self._said[step.member])
        told = tuple(
            Ended(number, step.ends, step.ago, 2 * step.ago, step.retry_after, after)
            for number in ended
        )
        again, self._lost[step.member] = self._lost[step.member], list(told)
        seen, at = self._seen.get(step.member, (0, self._clock))
        message = Message(
            member=step.member,
            terms=self._terms,
            lease=self._lease,
            lookups=step.lookups,
            bulk=step.bulk,
            out=() if step.leaves else tuple(out),
            ended=(*again, *told),
            seen=seen,
            since=max(0, self._clock - at),
            leaves=step.leaves,
            serial=len(self._said[step.member]) + 1,
        )
        self._said[step.member].append(message)
        return message


@pytest.fixture(scope="module")
def server(redis_url: str) -> Iterator[redis.Redis]:
    """Return a client of the server."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@settings(deadline=None, max_examples=150)
@given(TERMS, STEPS)
def test_the_script_answers_as_the_ledger_does(
    server: redis.Redis, terms: tuple[Terms, ...], steps: list[Step]
) -> None:
    """Under random needs, ends, deaths, losses, 429s, steps of the clock and late messages."""
    both = Both(server, terms)
    for step in steps:
        model, told = both.say(step)
        assert told == model


@pytest.mark.parametrize("seed", range(30))
def test_both_learn_the_same_from_429s(server: redis.Redis, seed: int) -> None:
    """Where many requests leave one after the other, and some of them are refused."""
    rng = random.Random(seed)
    terms = (Terms(rng.randint(1, 120), rng.randint(1, 60) * 1_000_000, bucket=rng.random() < 0.3),)
    both = Both(server, terms, lease=400_000_000)
    longest = rng.choice([1_000_000, 4_000_000, 300_000_000])
    for _ in range(60):
        refused = rng.random() < 0.3
        step = Step(
            member=rng.choice(MEMBERS),
            passes=rng.randint(0, longest),
            lookups=rng.randint(0, 3),
            bulk=rng.randint(0, 8),
            ends="throttled" if refused else "answered",
            how_many=rng.choice([1, 2, 6]),
            goes=True,
            ago=rng.choice([0, 20_000]),
            retry_after=rng.choice([None, 1_000_000, 20_000_000]),
            forgets=False,
            leaves=False,
        )
        model, told = both.say(step)
        assert told == model


def test_both_forgive_what_was_refused_once_another_request_passes(server: redis.Redis) -> None:
    """A volley of all tokens is refused; one passes, and the others count no longer."""
    both = Both(server, (Terms(60, 60_000_000),), lease=400_000_000)
    idle = Step("one", 4_000_000, 0, 0, "answered", 0, True, 0, 1_000_000, False, False)
    for change in (
        {"lookups": 60},
        {"ends": "throttled", "how_many": 60},
        {"lookups": 1},
        {"how_many": 1},
    ):
        model, told = both.say(attrs.evolve(idle, **change))
        assert told == model
    model, told = both.say(attrs.evolve(idle, lookups=2))
    assert told == model
    assert [wait for _, wait in told.grants] == [0, 0]


def test_only_the_clock_and_the_age_were_taken_out() -> None:
    """What is compared is the script itself."""
    assert SCRIPT.count(CLOCK) == 1
    assert SCRIPT.count(AGE) == 1


def test_thousands_of_requests_are_told_of_in_one_message(server: redis.Redis) -> None:
    """And waited for, and given up; Redis serves nobody else meanwhile."""
    many = 3_000
    key, terms = next(keys), (Terms(many, 60_000_000),)
    ledger = Ledger(since=START, last=START)

    def say(**what: object) -> Answer:
        message = Message(member="one", terms=terms, lease=15_000_000, **what)  # type: ignore[arg-type]
        began = time.monotonic()
        clock = f"[{START // 1_000_000},{START % 1_000_000}]"
        told = from_reply(server.eval(HANDED_IN, 1, key, to_json(message), clock))
        assert time.monotonic() - began < PATIENCE
        assert told == ledger.tell(START, message)
        return told

    out = tuple(number for number, _ in say(lookups=many).grants)
    assert len(out) == many
    say(out=out, bulk=many)
    ended = tuple(Ended(number, "answered") for number in out)
    assert len(say(ended=ended, bulk=many).grants) == many
    assert not say().grants
