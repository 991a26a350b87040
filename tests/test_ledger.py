"""The arithmetic of a shared limit where nobody else looks: reboots, steps, what is refused."""

import pytest

from infobip_email_logs.bucket import TokenLimit, limits_of
from infobip_email_logs.errors import InvalidInput
from infobip_email_logs.host_limiter import from_json, to_json
from infobip_email_logs.ledger import GRACE, Ledger
from infobip_email_logs.lesson import RECOVERY
from infobip_email_logs.messages import SECOND, SLACK, Answer, Ended, Message, Terms, terms_of

TERMS = (Terms(2, 10 * SECOND),)
CLOCK = 1_000 * SECOND


def says(member: str = "one", **what: object) -> Message:
    """Return a message."""
    return Message(member=member, terms=TERMS, lease=5 * SECOND, **what)  # type: ignore[arg-type]


def used_up() -> Ledger:
    """Return a ledger whose tokens have just begun to cool."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    ledger.tell(CLOCK, says(ended=(Ended(-1, "answered"), Ended(-2, "answered"))))
    return ledger


def wait(answer: Answer) -> float:
    """Return the seconds until the first grant may go."""
    return answer.grants[0][1] / SECOND


def test_a_reboot_is_no_shorter_than_the_time_since() -> None:
    """The clock of a host begins anew: at least so much has passed since the last message."""
    ledger = used_up()
    assert wait(ledger.tell(4 * SECOND, says("other", lookups=1), at_least=4 * SECOND)) == 6
    assert wait(ledger.tell(7 * SECOND, says("other", lookups=1), at_least=7 * SECOND)) == 3


def test_a_clock_that_is_set_back_goes_on_from_where_it_was() -> None:
    """Nothing returns late for it, and nothing early."""
    ledger = used_up()
    ledger.tell(CLOCK + 3 * SECOND, says())
    assert wait(ledger.tell(5, says("other", lookups=1))) == 7


def test_a_clock_that_is_set_forward_is_noticed_by_who_knows_better() -> None:
    """A member tells how long ago it was that it heard of the ledger."""
    ledger = used_up()
    far = CLOCK + 3600 * SECOND
    answer = ledger.tell(far, says(lookups=1, seen=CLOCK, since=2 * SECOND))
    assert wait(answer) == 8
    assert answer.now == CLOCK + 2 * SECOND


def test_a_ledger_from_before_is_taken_for_used_up() -> None:
    """A copy that is behind what a member has seen has lost something."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    seen = CLOCK + SECOND
    answer = ledger.tell(seen + SECOND, says(lookups=1, seen=seen, since=SECOND))
    assert not answer.grants
    assert answer.places == (10 * SECOND,)


def test_a_lost_bucket_is_taken_for_empty() -> None:
    """It is refilled from then on, one by one."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    bucket = (Terms(3, 10 * SECOND, bucket=True),)
    seen = CLOCK + SECOND
    message = Message(
        member="one", terms=bucket, lease=5 * SECOND, lookups=1, seen=seen, since=SECOND
    )
    answer = ledger.tell(seen + SECOND, message)
    assert not answer.grants
    assert answer.places == (10 * SECOND,)


def test_who_has_not_been_heard_of_for_long_loses_nothing() -> None:
    """All that it saw has cooled since, so a new ledger is no loss."""
    since = 10 * SECOND + GRACE + 1
    ledger = Ledger(since=CLOCK, last=CLOCK)
    assert wait(ledger.tell(CLOCK, says(lookups=1, seen=CLOCK - since, since=since))) == 0


def test_promises_are_taken_back_while_a_probe_is_due() -> None:
    """After a 429 that does not say how long, one request goes and the others wait for it."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    promised = ledger.tell(CLOCK, says(lookups=2))
    assert len(promised.grants) == 2
    met = Ended(-1, "throttled")
    answer = ledger.tell(CLOCK, says("other", ended=(met,)))
    assert answer.silence == 10 * SECOND
    ledger.tell(CLOCK + 4 * SECOND, says(lookups=2))
    answer = ledger.tell(CLOCK + 9 * SECOND - 1, says(lookups=2))
    assert [wait for _, wait in answer.grants] == [SECOND + 1]
    assert len(answer.places) == 1
    (probe,) = answer.grants
    passed = Ended(probe[0], "answered")
    answer = ledger.tell(CLOCK + 12 * SECOND, says(lookups=1, ended=(passed,)))
    assert answer.silence == 0


def test_a_probe_that_is_taken_back_is_followed_by_another() -> None:
    """A 429 that says how long voids what was promised before, the probe as well."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    ledger.tell(CLOCK, says(lookups=1, ended=(Ended(-1, "throttled"),)))
    at = CLOCK + 8 * SECOND
    answer = ledger.tell(at, says(lookups=1))
    assert wait(answer) == 2
    met = Ended(-2, "throttled", retry_after=3 * SECOND)
    ledger.tell(at, says("other", ended=(met,)))
    assert wait(ledger.tell(at, says(lookups=1))) == 3


def test_a_probe_whose_caller_gives_up_leaves_the_pause_as_long_as_it_was() -> None:
    """The next one goes when that one was to go."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    ledger.tell(CLOCK, says(ended=(Ended(-1, "throttled"),)))
    at = CLOCK + 6 * SECOND
    assert wait(ledger.tell(at, says(lookups=1))) == 4
    ledger.tell(at, says(lookups=0))
    assert wait(ledger.tell(at, says("other", lookups=1))) == 4


def test_a_lookup_that_takes_over_from_a_bulk_pull_is_the_probe() -> None:
    """And no other goes beside it."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    ledger.tell(CLOCK, says("third", out=(-2,), ended=(Ended(-1, "throttled"),)))
    at = CLOCK + 6 * SECOND
    assert wait(ledger.tell(at, says(bulk=1))) == 4
    answer = ledger.tell(at, says("other", lookups=2))
    assert [wait for _, wait in answer.grants] == [4 * SECOND]
    assert ledger.quiet.probe == answer.grants[0][0]


def test_a_bucket_is_as_empty_as_it_was_though_that_is_told_late() -> None:
    """Two requests ended one after the other; what the second one took is refilled after that."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    bucket = (Terms(2, 10 * SECOND, bucket=True),)

    def say(member: str, at: int, ended: Ended) -> Answer:
        message = Message(member=member, terms=bucket, lease=60 * SECOND, lookups=2, ended=(ended,))
        return ledger.tell(CLOCK + at * SECOND, message)

    say("one", 1, Ended(-1, "answered"))
    say("other", 12, Ended(-2, "answered", ago=9 * SECOND))
    assert ledger.full[bucket[0].name] == CLOCK + 21 * SECOND


def test_an_earlier_instant_is_found_between_later_promises() -> None:
    """What was given back goes at its own instant, unless a later promise would be one too many."""
    ledger = Ledger(since=CLOCK, last=CLOCK)
    ended = tuple(Ended(-number, "answered", ago=number * SECOND) for number in (1, 2))
    ledger.tell(CLOCK, says(ended=ended, lookups=1))
    ledger.tell(CLOCK, says("other", lookups=1))
    assert wait(ledger.tell(CLOCK, says("other", lookups=1))) == 9
    ledger.tell(CLOCK, says(lookups=0))
    assert wait(ledger.tell(CLOCK, says("third", lookups=1))) == 8


def test_a_ledger_is_kept_for_as_long_as_it_matters() -> None:
    """Longer than anybody remembers it, or what it learned."""
    ledger = used_up()
    assert ledger.expires_in() == 5 * SECOND + 2 * (10 * SECOND + GRACE)
    ledger.tell(CLOCK, says(ended=(Ended(-3, "throttled", retry_after=3000 * SECOND),)))
    assert ledger.expires_in() == 3000 * SECOND + 2 * (10 * SECOND + GRACE)
    ledger = used_up()
    ledger.tell(CLOCK, says(ended=(Ended(-3, "throttled", retry_after=SECOND),)))
    assert ledger.expires_in() == RECOVERY * SECOND


def test_a_ledger_is_written_and_read() -> None:
    """As text; what is none is refused."""
    ledger = used_up()
    ledger.tell(CLOCK, says(lookups=3, out=(7,)))
    assert from_json(to_json(ledger)) == ledger
    for text in ("", "{}", "[]", '{"held": [1]}', "null"):
        with pytest.raises((ValueError, TypeError, LookupError)):
            from_json(text)


def test_limits_become_terms() -> None:
    """A little later than they say, for the rounding of clocks."""
    assert Terms.of(TokenLimit(burst=3, refill=3)) == Terms(3, 333_334, bucket=True)
    assert Terms(3, 333_334, bucket=True).name == "3/333334"
    assert SLACK > 0


@pytest.mark.parametrize(
    "text", ["10001/60s", "10001+1/s", "1/9000h", "1+0.1/9000h", "10000+1/h", "60/60s, 1/9000h"]
)
def test_a_limit_that_can_not_be_shared_is_refused(text: str) -> None:
    """When it is built; the message names the limit, and what can be kept."""
    with pytest.raises(InvalidInput, match=r"10000 requests .* within a year; \d"):
        terms_of(limits_of(text))


def test_limits_up_to_the_bounds_are_shared() -> None:
    """They come to terms, one for each."""
    assert len(terms_of(limits_of("10000/60s, 1/8784h, 10000+1/s"))) == 3
