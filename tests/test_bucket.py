"""The arithmetic of the limit, against every window that a service could look at."""

import bisect
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.bucket import (
    LIMIT_V1,
    LIMIT_V4,
    SLACK,
    RefillingTokens,
    ReturningTokens,
    TimeLimit,
    TokenLimit,
    parse_limits,
)
from infobip_email_logs.errors import InvalidInput

LIMITS = st.builds(TimeLimit, st.integers(1, 8), per=st.floats(0.1, 20))
ATTEMPTS = st.lists(
    st.tuples(
        st.floats(0, 3),  # idle before it
        st.floats(0, 4),  # on the way there
        st.floats(0, 4),  # on the way back
    ),
    min_size=1,
    max_size=60,
)


def run(limit: TimeLimit, attempts: list[tuple[float, float, float]]) -> list[float]:
    """Send requests one after the other as early as they may go; return when they arrive."""
    tokens, now, answers = ReturningTokens(limit), 0.0, list[float]()
    arrivals: list[float] = []
    for idle, there, back in attempts:
        now += idle
        while True:
            while answers and answers[0] <= now:
                tokens.release(answers.pop(0))
            if tokens.take(now):
                break
            ready = tokens.ready(now)
            assert ready > now
            now = min([ready, *answers[:1]])
        arrivals.append(now + there)
        bisect.insort(answers, now + there + back)
    return sorted(arrivals)


@given(LIMITS, ATTEMPTS)
def test_no_window_ever_holds_more_than_the_limit(
    limit: TimeLimit, attempts: list[tuple[float, float, float]]
) -> None:
    """Wherever a window of the service begins, it holds no more requests than the limit allows."""
    arrivals = run(limit, attempts)
    for first, beyond in zip(arrivals, arrivals[limit.requests :], strict=False):
        assert beyond - first >= limit.per


@given(LIMITS, st.integers(1, 30))
def test_nothing_waits_that_could_have_gone(limit: TimeLimit, count: int) -> None:
    """With answers that take no time, each period carries exactly the limit, at its beginning."""
    arrivals = run(limit, [(0.0, 0.0, 0.0)] * count)
    for number, at in enumerate(arrivals):
        periods = number // limit.requests
        assert at == pytest.approx(periods * (limit.per + SLACK))


def test_a_minute_of_sixty_admits_sixty_and_not_a_hundred_and_nineteen() -> None:
    """The burst and the first minute together hold 60 requests."""
    arrivals = run(TimeLimit(60, per=60), [(0.0, 0.0, 0.0)] * 180)
    assert sum(at < 60 for at in arrivals) == 60
    assert sum(at < 120 for at in arrivals) == 120


def test_a_token_on_the_wire_is_nobody_elses() -> None:
    """A token returns a period after its answer, however late that is."""
    tokens = ReturningTokens(TimeLimit(1, per=10))
    assert tokens.take(0.0)
    assert not tokens.take(50.0)
    tokens.release(50.0)
    assert tokens.ready(50.0) == pytest.approx(60 + SLACK)
    assert not tokens.take(60.0)
    assert tokens.take(60.0 + 2 * SLACK)


def test_a_token_that_was_not_used_is_there_at_once() -> None:
    """A request that never left costs nothing."""
    tokens = ReturningTokens(TimeLimit(1, per=10))
    assert tokens.take(0.0)
    tokens.give_back()
    assert tokens.ready(0.0) == 0
    assert tokens.take(0.0)


def test_tokens_that_return_out_of_order_are_taken_in_order() -> None:
    """An abandoned request counts from later than one that is answered after it."""
    tokens = ReturningTokens(TimeLimit(2, per=10))
    assert tokens.take(0.0)
    assert tokens.take(0.0)
    tokens.release(5.0)
    tokens.release(1.0)
    assert tokens.ready(1.0) == pytest.approx(11 + SLACK)
    assert tokens.take(12.0)
    assert not tokens.take(12.0)


@given(LIMITS, st.integers(0, 40))
def test_the_wait_behind_others_is_never_told_too_long(limit: TimeLimit, ahead: int) -> None:
    """What is told of a wait is at most what it is: nobody is refused who could have gone."""
    tokens = ReturningTokens(limit)
    told = tokens.ready(0.0, ahead)
    arrivals = run(limit, [(0.0, 0.0, 0.0)] * (ahead + 1))
    assert told <= arrivals[-1] + 1e-9


@pytest.mark.parametrize(
    ("text", "requests", "per"),
    [
        ("60/60s", 60, 60),
        ("60/m", 60, 60),
        (" 120 / 1m ", 120, 60),
        ("5/0.5s", 5, 0.5),
        ("1000/h", 1000, 3600),
        ("7/30", 7, 30),
    ],
)
def test_a_limit_is_read_from_text(text: str, requests: int, per: float) -> None:
    """A number, a slash and a time name a limit."""
    assert TimeLimit.parse(text) == TimeLimit(requests, per=per)


@pytest.mark.parametrize("text", ["", "60", "60/", "60/abc", "0/60s", "60/0s", "-1/s", "6.5/s"])
def test_text_that_names_no_limit_is_refused(text: str) -> None:
    """What can't be a limit is told so when it is read."""
    with pytest.raises(InvalidInput):
        TimeLimit.parse(text)


def test_a_limit_writes_itself_as_it_is_read() -> None:
    """The text of a limit can be parsed again."""
    for requests, per in itertools.product((1, 60), (0.5, 60.0)):
        limit = TimeLimit(requests, per=per)
        assert TimeLimit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "burst", "refill"),
    [
        ("20+10/s", 20, 10),
        ("5+60/60s", 5, 1),
        (" 5 + 60 / m ", 5, 1),
        ("1+0.5/s", 1, 0.5),
        ("7+100/0.5s", 7, 200),
    ],
)
def test_a_burst_and_its_refill_are_read_from_text(text: str, burst: int, refill: float) -> None:
    """A burst, a plus, and what comes back in a time."""
    assert TokenLimit.parse(text) == TokenLimit(burst=burst, refill=refill)


@pytest.mark.parametrize(
    "text", ["", "20", "20+", "20+10", "20+10/", "0+1/s", "1+0/s", "1+1/0s", "x+1/s", "60/60s"]
)
def test_a_burst_that_makes_no_sense_is_refused(text: str) -> None:
    """The message shows how one is written."""
    with pytest.raises(InvalidInput):
        TokenLimit.parse(text)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_a_burst_writes_itself_as_it_is_read(burst: int, come: int, per: int) -> None:
    """The text of a limit can be parsed again."""
    limit = TokenLimit(burst=burst, refill=come / per)
    again = TokenLimit.parse(str(limit))
    assert again.burst == burst
    assert again.refill == pytest.approx(limit.refill, rel=1e-9)


def test_several_limits_are_read_from_one_text() -> None:
    """A comma stands between them."""
    assert parse_limits("60/60s, 20+10/s") == (TimeLimit(60), TokenLimit(burst=20, refill=10))
    with pytest.raises(InvalidInput):
        parse_limits("60/60s,")


def test_the_published_limits_are_there_by_name() -> None:
    """60 requests a minute in version 1, 120 in version 4."""
    assert (str(LIMIT_V1), str(LIMIT_V4)) == ("60/60s", "120/60s")
    assert (LIMIT_V1.rate, LIMIT_V1.burst, LIMIT_V4.rate) == (1, 60, 2)


@pytest.mark.parametrize("burst", [0, -1, 1.5, True, None])
def test_a_burst_of_less_than_one_request_is_refused(burst: int) -> None:
    """When it is built, not when it is used."""
    with pytest.raises(InvalidInput):
        TokenLimit(burst=burst, refill=1.0)


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, True, "1"])
def test_a_time_that_is_none_is_refused(wrong: float) -> None:
    """Neither a refill nor a period can be nothing, endless or no number."""
    with pytest.raises(InvalidInput):
        TokenLimit(burst=1, refill=wrong)
    with pytest.raises(InvalidInput):
        TimeLimit(1, per=wrong)


def test_how_long_many_requests_take_is_known() -> None:
    """From a quiet start, for each kind of limit."""
    assert [TimeLimit(60).pace(count) for count in (0, 60, 61, 600)] == [0, 0, 60, 540]
    limit = TokenLimit(burst=5, refill=2)
    assert [limit.pace(count) for count in (0, 5, 6, 25)] == [0, 0, 0.5, 10]


def test_a_request_on_the_wire_is_not_refilled() -> None:
    """It may arrive late; its token is refilled from when its answer is there."""
    tokens = RefillingTokens(2, 1.0)
    assert tokens.take(0.0)
    assert tokens.take(0.0)
    assert not tokens.take(50.0)
    assert tokens.ready(50.0) == 51.0
    tokens.release(50.0)
    assert not tokens.take(50.5)
    assert tokens.take(51.0 + 2 * SLACK)


def test_a_larger_burst_is_not_a_present() -> None:
    """What was missing goes on missing; where nothing was, there is more."""
    tokens = RefillingTokens(2, 1.0)
    assert tokens.take(0.0)
    tokens.release(0.0)
    tokens.alter(0.5, burst=4, refill=2.0)
    assert tokens.left(0.5) == 1
    assert tokens.left(10.0) == 4
    tokens.alter(10.0, burst=6, refill=2.0)
    assert tokens.left(10.0) == 6


def test_an_emptied_bucket_has_one_token_after_one_interval() -> None:
    """As the service said with its 429."""
    tokens = RefillingTokens(5, 0.5)
    tokens.empty(10.0)
    assert tokens.left(10.0) == 0
    assert tokens.ready(10.0) == 12.0
