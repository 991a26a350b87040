"""The sweep alone, without I/O and clock: whatever order its requests are answered in."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infobip_email_logs import EmailLog, Gap, LogsPage, LogsQuery
from infobip_email_logs.moments import MILLISECOND, number
from infobip_email_logs.page_facts import PageFacts
from infobip_email_logs.sweep import Sweep

START = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(
    field.name for field in attrs.fields(EmailLog) if field.name != "extra"
)
MOST = 2_000
"""The requests of a sweep, at most."""


@attrs.frozen
class Model:
    """A service that holds so many logs, each with its millisecond for a status.

    Attributes:
        times: When they were sent, in milliseconds from :data:`START`, in order.
        choice: Which of them a full page holds.
        bounds: Whether ``sentSince`` and ``sentUntil`` are inclusive.
        cap: How many logs a page holds.
        random: For what is different each time.
    """

    times: Sequence[int]
    choice: str
    bounds: tuple[bool, bool]
    cap: int
    random: Random

    def page(self, asked: LogsQuery) -> LogsPage:
        """Answer a request."""
        found = [] if asked.general_status else self._matching(asked)
        logs = tuple(self.log(place) for place in self._chosen(found))
        return LogsPage(logs=logs, size=len(logs), limit=self.cap)

    def log(self, place: int) -> EmailLog:
        """Return a log."""
        sent = START + self.times[place] * MILLISECOND
        return EmailLog(**{**NOTHING, "message_id": str(place), "sent_at": sent}, extra={})

    def _matching(self, asked: LogsQuery) -> Sequence[int]:
        since, until = self.bounds
        low = ms(asked.sent_since) + (not since) if asked.sent_since else -1
        high = ms(asked.sent_until) - (not until) if asked.sent_until else 1 << 62
        return range(bisect_left(self.times, low), bisect_right(self.times, high))

    def _chosen(self, found: Sequence[int]) -> Sequence[int]:
        if len(found) <= self.cap or self.choice == "earliest":
            return found[: self.cap]
        if self.choice == "latest":
            return found[-self.cap :]
        if self.choice == "random":
            return self.random.sample(found, self.cap)
        begin = self.random.randint(0, len(found) - self.cap)
        return found[begin : begin + self.cap]


def ms(instant: datetime) -> int:
    """Return milliseconds from :data:`START`."""
    return number(instant) - number(START)


@attrs.define
class Swept:
    """What a sweep came to."""

    delivered: list[str | None] = attrs.field(factory=list[str | None])
    requests: int = 0
    gaps: tuple[Gap, ...] = ()


def swept(model: Model, query: LogsQuery, *, at_once: int = 1) -> Swept:
    """Carry a sweep out, so many requests at a time, answered in any order."""
    sweep = Sweep(query, PageFacts(cap=model.cap, whole=model.cap - 1))
    told, asked = Swept(), list[tuple[LogsQuery, LogsPage]]()
    while True:
        while len(asked) < at_once and (one := sweep.take()):
            asked.append((one, model.page(one)))
            told.requests += 1
            assert told.requests < MOST
        if not asked:
            break
        one, page = asked.pop(model.random.randrange(len(asked)))
        new = sweep.answer(one, page, page.logs)
        told.delivered += [log.message_id for log in new if isinstance(log, EmailLog)]
    assert sweep.over
    told.gaps = sweep.gaps
    return told


HEAPS = st.lists(
    st.tuples(st.integers(0, 100_000), st.sampled_from((1, 30, 5_000)), st.integers(1, 40)),
    min_size=1,
    max_size=5,
)


@settings(derandomize=True, deadline=None, max_examples=500)
@example(heaps=[(0, 1, 12)], choice="latest", bounds=(True, False), at_once=1, seed=0)
@example(heaps=[(0, 1, 12), (0, 30, 1)], choice="stretch", bounds=(True, True), at_once=2, seed=0)
@given(
    heaps=HEAPS,
    choice=st.sampled_from(("latest", "earliest", "random", "stretch")),
    bounds=st.tuples(st.booleans(), st.booleans()),
    at_once=st.integers(1, 8),
    seed=st.integers(0, 1 << 30),
)
def test_each_log_comes_once_or_is_in_a_gap(
    heaps: list[tuple[int, int, int]],
    choice: str,
    bounds: tuple[bool, bool],
    at_once: int,
    seed: int,
) -> None:
    """A gap holds as many logs as a page, or more, in one millisecond or one second."""
    random = Random(seed)
    times = [begin + random.randrange(spread) for begin, spread, size in heaps for _ in range(size)]
    model = Model(sorted(times), choice, bounds, 12, random)
    told = swept(model, LogsQuery(sent_since=START), at_once=at_once)
    assert len(set(told.delivered)) == len(told.delivered)
    crowds, came = Counter(times), {int(one or "") for one in told.delivered}
    gaps = [range(ms(gap.since), ms(gap.until) + 1) for gap in told.gaps if gap.since and gap.until]
    assert len(gaps) == len(told.gaps)
    lost = {at for place, at in enumerate(model.times) if place not in came}
    assert all(any(at in gap for gap in gaps) for at in lost)
    assert all(sum(crowds[at] for at in gap) >= model.cap for gap in gaps)


@pytest.mark.parametrize(
    ("choice", "most"), [("latest", 14), ("earliest", 14), ("random", 22), ("stretch", 45)]
)
@pytest.mark.parametrize("at_once", [1, 8])
def test_few_requests_are_made(choice: str, most: int, at_once: int) -> None:
    """Ten thousand logs, evenly spread, take about ten of them in the good cases."""
    random = Random(1)
    times = sorted(random.randrange(100_000_000) for _ in range(10_000))
    model = Model(times, choice, (False, False), 1000, random)
    told = swept(model, LogsQuery(sent_since=START), at_once=at_once)
    assert len({*told.delivered}) == len(told.delivered) == 10_000
    assert not told.gaps
    assert told.requests <= most


@pytest.mark.parametrize("shape", ["even", "bursts"])
def test_full_pages_that_are_no_samples_are_noticed(shape: str) -> None:
    """Where a full page is any stretch of neighbours, only whole pieces tell how long they are."""
    random = Random(2)
    times = sorted(random.randrange(100_000_000) for _ in range(10_000))
    if shape == "bursts":
        times = sorted(at // 20_000_000 * 20_000_000 + at % 60_000 for at in times)
    model = Model(times, "stretch", (False, False), 100, random)
    told = swept(model, LogsQuery(sent_since=START))
    assert len({*told.delivered}) == len(told.delivered) == 10_000
    assert told.requests <= 320


def test_equal_requests_wait_for_each_other() -> None:
    """Two stretches that ask for the same do so one after the other."""
    sweep = Sweep(LogsQuery(sent_since=START), PageFacts())
    stretch = sweep._ready[0]
    sweep._ready.append(attrs.evolve(stretch))
    first = sweep.take()
    assert first is not None
    assert sweep.take() is None
    empty = LogsPage(logs=(), size=0, limit=1000)
    assert not sweep.answer(first, empty, ())
    second = sweep.take()
    assert second == first
