"""The line: first come first served in two priorities, and nobody starves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.line import IN_A_ROW, Line, Priority

LOOKUP, BULK = Priority.LOOKUP, Priority.BULK
PRIORITIES = st.lists(st.sampled_from(Priority), max_size=40)


def standing(priorities: list[Priority]) -> Line[int]:
    """Return a line of numbers in the order in which they came."""
    line = Line[int]()
    for number, priority in enumerate(priorities):
        line.join(number, priority)
    return line


def served(line: Line[int]) -> list[int]:
    """Serve all who wait; return them in their order."""
    order = list[int]()
    while line.length:
        order.append(line.first())
        line.serve()
    return order


@given(PRIORITIES)
def test_each_goes_once_and_in_the_order_of_its_priority(priorities: list[Priority]) -> None:
    """Within a priority those who came first go first."""
    order = served(standing(priorities))
    assert sorted(order) == list(range(len(priorities)))
    for priority in Priority:
        lane = [number for number in order if priorities[number] is priority]
        assert lane == sorted(lane)


@given(PRIORITIES, st.integers(0, 2 * IN_A_ROW))
def test_the_order_is_known_before(priorities: list[Priority], gone: int) -> None:
    """In the middle of a row, too; and it changes nothing."""
    line = standing(priorities)
    for _ in range(min(gone, line.length)):
        line.serve()
    order = line.order()
    assert served(line) == order


@given(PRIORITIES)
def test_lookups_go_first_but_bulk_pulls_have_their_turn(priorities: list[Priority]) -> None:
    """While both wait, of every few that go one is a bulk pull."""
    order = [priorities[number] for number in served(standing(priorities))]
    lookups, bulk = order.count(LOOKUP), order.count(BULK)
    row = 0
    for priority in order:
        if lookups and bulk:
            assert (priority is BULK) == (row == IN_A_ROW)
        row = 0 if priority is BULK else row + 1
        lookups -= priority is LOOKUP
        bulk -= priority is BULK


@given(PRIORITIES, st.integers(0, 10), st.sampled_from(Priority))
def test_who_is_ahead_is_known(priorities: list[Priority], gone: int, priority: Priority) -> None:
    """When nobody else comes, so many go first."""
    line = standing(priorities)
    for _ in range(min(gone, len(priorities))):
        line.serve()
    ahead = line.ahead(priority)
    line.join(-1, priority)
    assert served(line).index(-1) == ahead


@given(PRIORITIES, st.sets(st.integers(0, 40)))
def test_who_leaves_is_passed_over(priorities: list[Priority], leaving: set[int]) -> None:
    """Wherever it stood; who is not there can leave, too."""
    line = standing(priorities)
    for number in leaving:
        line.leave(number)
    stay = [number for number in range(len(priorities)) if number not in leaving]
    assert line.length == len(stay)
    assert sorted(served(line)) == stay


@pytest.mark.parametrize("priority", Priority)
def test_all_can_be_sent_away(priority: Priority) -> None:
    """Nobody is left."""
    line = standing([priority] * 3)
    assert line.clear() == [0, 1, 2]
    assert line.length == 0
