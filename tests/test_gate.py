"""Deadlines that 429s set, and the growing silences of those that set none."""

import pytest

from infobip_email_logs.gate import FIRST_PAUSE, LONGEST_ANNOUNCED, LONGEST_PAUSE, Gate


def test_the_longest_deadline_holds() -> None:
    """A shorter one never overrides it."""
    gate = Gate()
    gate.close(0.0, 0.0, 20.0)
    gate.close(1.0, 0.0, 5.0)
    assert gate.opens == 20.0
    assert not gate.probing


@pytest.mark.parametrize(
    ("retry_after", "opens"),
    [
        (float("nan"), FIRST_PAUSE),
        (-5.0, FIRST_PAUSE),
        (0.0, FIRST_PAUSE),
        (float("-inf"), FIRST_PAUSE),
        (float("inf"), LONGEST_ANNOUNCED),
        (float("9" * 35), LONGEST_ANNOUNCED),
        (0.5, 0.5),
    ],
)
def test_nonsense_is_bounded(retry_after: float, opens: float) -> None:
    """Whatever a 429 asks for, the gate opens again."""
    gate = Gate()
    gate.close(0.0, 0.0, retry_after)
    assert gate.opens == opens


def test_silences_grow_to_a_minute_and_then_by_minutes() -> None:
    """What was counted a minute ago is forgotten by then, so that instant is not passed over."""
    gate, at, seen = Gate(), 0.0, list[float]()
    for _ in range(6):
        gate.pass_through(at)
        gate.close(at, at, None)
        at = gate.opens
        seen.append(at)
    assert seen == [1.0, 4.0, 16.0, 60.0, 120.0, 180.0]


def test_the_first_silence_is_what_one_asks_for_within_bounds() -> None:
    """Not below a second, not above a minute."""
    for asked, kept in ((0.1, FIRST_PAUSE), (5.0, 5.0), (1000.0, LONGEST_PAUSE)):
        gate = Gate()
        gate.close(0.0, 0.0, None, asked)
        assert gate.opens == kept


def test_the_silence_begins_when_the_last_of_a_volley_was_refused() -> None:
    """What it took is gone by then."""
    gate = Gate()
    gate.close(0.0, -1.0, None)
    gate.close(0.3, -1.0, None)
    assert gate.opens == 0.3 + FIRST_PAUSE


def test_a_probe_that_passes_opens_the_gate() -> None:
    """One that left before the 429 does not; nor does one that left when all was well."""
    gate = Gate()
    gate.open(0.0, 0.0)
    gate.withdraw(0.0, 0.0)
    gate.close(1.0, 0.5, None)
    gate.open(1.1, 0.6)
    assert gate.opens == 2.0
    gate.pass_through(2.0)
    assert gate.opens == 3.0
    gate.open(2.1, 2.0)
    assert gate.opens == 2.1
    assert not gate.probing


def test_a_probe_that_never_left_leaves_its_turn() -> None:
    """Another may be it at once."""
    gate = Gate()
    gate.close(1.0, 0.5, None)
    gate.pass_through(2.0)
    gate.withdraw(2.1, 2.0)
    assert gate.opens == 2.1
    gate.withdraw(2.2, 0.5)
    assert gate.opens == 2.1
