"""What to ask, and what the answers prove, against services that treat lists differently."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs import EmailLog, InvalidInput, LogsPage, LogsQuery, RejectedRecord
from infobip_email_logs.batches import joined_length
from infobip_email_logs.by_ids import PROBES, ByIds
from infobip_email_logs.lists import ListFacts
from infobip_email_logs.matching import sift
from infobip_email_logs.page_facts import PageFacts
from infobip_email_logs.plans import Plan
from infobip_email_logs.sweep import Sweep

Service = Callable[[LogsQuery], Iterable[str]]


def run(
    plan: Plan,
    service: Service,
    longest: int = 10_000,
    *,
    delivered: list[str] | None = None,
) -> list[LogsQuery]:
    """Carry a plan out, one request at a time; return what was asked, note what is delivered."""
    asked: list[LogsQuery] = []
    while (query := plan.take()) is not None:
        asked.append(query)
        if joined_length(query.message_id) > longest:
            assert plan.refused(query, 414)
            continue
        logs = tuple(EmailLog(message_id=one) for one in service(query))
        assert query.limit == 1000
        page = sift(LogsPage(logs, size=len(logs), limit=1000), query)
        new = plan.answer(query, page, page.logs)
        if delivered is not None:
            delivered.extend(getattr(log, "message_id", "") for log in new)
    assert plan.over
    return asked


def by_ids(ids: Iterable[str], facts: ListFacts | None = None) -> ByIds:
    """Return a plan that has been fed all its ids."""
    plan = ByIds("message_id", LogsQuery(), facts or ListFacts())
    plan.feed(ids)
    plan.end_of_ids()
    return plan


IDS = [f"id-{number:05}" for number in range(400)]
EXIST = set(IDS[::2])
LATEST = [f"late-{number:03}" for number in range(400)]
"""Ids that nobody asked for, of the latest logs."""


def latest(query: LogsQuery) -> list[str]:
    """Answer a request without ids, which all services do alike."""
    return [] if query.message_id else LATEST


def known(ids: Iterable[str]) -> list[str]:
    """Return those of some ids that have logs."""
    return [one for one in ids if one in EXIST or one in LATEST]


def keeps_lists(query: LogsQuery) -> Iterable[str]:
    """Answer every id of a list."""
    return latest(query) or known(query.message_id)


def takes_a_list_for_one_id(query: LogsQuery) -> Iterable[str]:
    """Take the whole text for one id."""
    return keeps_lists(query) if len(query.message_id) <= 1 else ()


def looks_at_the_first(query: LogsQuery) -> Iterable[str]:
    """Look at the first id of a list only."""
    return latest(query) or known(query.message_id[:1])


def looks_at_ten(query: LogsQuery) -> Iterable[str]:
    """Cut a list behind its tenth id."""
    return latest(query) or known(query.message_id[:10])


@pytest.mark.parametrize(
    "service", [keeps_lists, takes_a_list_for_one_id, looks_at_the_first, looks_at_ten]
)
def test_every_id_is_found_or_missing_whatever_a_service_does_with_lists(service: Service) -> None:
    """Lists that are not kept are noticed, and the ids are asked for in lists that are."""
    plan = by_ids(IDS)
    delivered = list[str]()
    run(plan, service, delivered=delivered)
    assert sorted(delivered) == sorted(EXIST)
    assert set(plan.missing) == set(IDS) - EXIST
    assert plan.unconfirmed == ()
    assert plan.gaps == ()


def test_lists_that_work_cost_no_further_request() -> None:
    """400 ids of 8 characters fit into two lists; the absent ones are missing at once.

    That the shorter answers are not cut is shown by one page of the latest logs.
    """
    plan = by_ids(IDS)
    assert len(run(plan, keeps_lists)) == 3


def test_a_client_remembers_what_a_service_does_with_lists() -> None:
    """The next call does not ask in vain again."""
    facts = ListFacts()
    run(by_ids(IDS, facts), looks_at_ten)
    assert facts.max_ids == facts.trusted[0] <= 10
    asked = run(by_ids(IDS, facts), looks_at_ten)
    assert len(asked) == -(-400 // facts.max_ids)


@pytest.mark.parametrize("service", [keeps_lists, takes_a_list_for_one_id, looks_at_ten])
def test_ids_of_which_none_exists_are_made_sure_of(service: Service) -> None:
    """A list of the latest ids shows whether silence means anything."""
    plan = by_ids(IDS[1::2])
    asked = run(plan, service)
    assert set(plan.missing) == set(IDS[1::2])
    assert plan.unconfirmed == ()
    assert not plan.gaps
    assert len(asked) == 3 or service is not keeps_lists


def test_where_there_is_no_log_at_all_none_is_missed() -> None:
    """An account without logs has none for any id."""
    plan = by_ids(IDS)
    asked = run(plan, lambda _: ())
    assert len(asked) == 3
    assert set(plan.missing) == set(IDS)


def test_where_lists_cannot_be_tried_out_some_ids_are_asked_for_alone() -> None:
    """The others are unconfirmed, and that is a gap."""
    plan = by_ids(IDS)
    asked = run(plan, lambda query: () if query.message_id else ["the only one"])
    alone = [query.message_id[0] for query in asked if len(query.message_id) == 1]
    assert len(alone) == PROBES
    assert set(plan.missing) == set(alone)
    assert set(plan.unconfirmed) == set(IDS) - set(alone)
    assert plan.gaps[0].why == "392 unconfirmed ids"
    assert plan.gaps[0].filters == {}


def test_a_trial_that_is_answered_with_something_else_proves_nothing() -> None:
    """Each id is asked for alone then, and nothing is taken for missing before."""
    plan = by_ids(IDS[:40])

    def service(query: LogsQuery) -> Iterable[str]:
        if query.message_id and query.message_id[0] in LATEST:
            return ["somebody else's"]
        return takes_a_list_for_one_id(query)

    delivered = list[str]()
    run(plan, service, delivered=delivered)
    assert sorted(delivered) == IDS[:40:2]
    assert set(plan.missing) == set(IDS[1:40:2])


def test_the_latest_ids_are_not_delivered_unless_they_are_asked_for() -> None:
    """What lists are tried out with is nobody's, but what was asked for is delivered once."""
    late = LATEST[:3]
    plan = by_ids([*late, *IDS[1:40:2]])
    delivered = list[str]()
    calls = 0

    def service(query: LogsQuery) -> Iterable[str]:
        nonlocal calls
        calls += 1
        return keeps_lists(query) if calls > 1 else ()

    run(plan, service, delivered=delivered)
    assert sorted(delivered) == late


def test_an_id_whose_record_cannot_be_read_is_not_missing() -> None:
    """It may be the one that was rejected."""
    plan = by_ids(["a"])
    query = plan.take()
    assert query
    plan.answer(query, LogsPage((), (RejectedRecord(1, 0, "$", "x", {}),), 1, 1000), [])
    assert plan.missing == ()
    assert plan.unconfirmed == ("a",)
    assert plan.gaps[0].why == "1 unconfirmed ids"


def test_lists_that_are_cut_in_characters_are_noticed() -> None:
    """Short ids say nothing of how many long ones fit."""
    ids = [*[f"{number:040}" for number in range(100)], *IDS[:60]]
    plan = by_ids(ids)

    def cut(query: LogsQuery) -> Iterable[str]:
        read = ",".join(query.message_id)[:1000].split(",")
        return latest(query) or [one for one in query.message_id if one in read]

    delivered = list[str]()
    run(plan, cut, delivered=delivered)
    assert sorted(delivered) == sorted(ids)
    assert plan.missing == plan.unconfirmed == ()


def test_hundreds_of_ids_are_packed_again_in_turns() -> None:
    """A service that keeps no lists is asked for each id, however many they are."""
    ids = [f"id-{number:05}" for number in range(1, 2001, 2)]
    plan = by_ids(ids)
    asked = run(plan, takes_a_list_for_one_id)
    assert len(asked) == 5 + 2 + 1000
    assert set(plan.missing) == set(ids) - EXIST


def test_a_trial_that_is_too_long_is_made_shorter_and_delivers_nothing() -> None:
    """Its halves are no lists that anybody asked for."""
    for longest in (0, 20, 200):
        plan = by_ids(IDS[1:200:2])
        delivered = list[str]()
        while (query := plan.take()) is not None:
            trial = query.message_id[:1] and query.message_id[0] in LATEST
            if trial and joined_length(query.message_id) > longest:
                assert plan.too_long(query)
                continue
            logs = tuple(EmailLog(message_id=one) for one in keeps_lists(query))
            page = LogsPage(logs, size=len(logs), limit=1000)
            new = plan.answer(query, page, page.logs)
            delivered.extend(getattr(log, "message_id", "") for log in new)
        assert plan.over
        assert delivered == []
        assert set(plan.missing) | set(plan.unconfirmed) == set(IDS[1:200:2])


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_late_logs_that_make_up_the_whole_trial_are_delivered_once(count: int) -> None:
    """A list that is asked for in earnest is told apart from the trial of the same ids."""
    late = LATEST[:count]
    plan = by_ids([*late, "absent-1", "absent-2"])
    delivered = list[str]()
    calls = 0

    def service(query: LogsQuery) -> Iterable[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            return ()
        return [one for one in query.message_id if one in late] if query.message_id else late

    run(plan, service, delivered=delivered)
    assert sorted(delivered) == late
    assert calls < 12


def test_an_id_whose_logs_are_not_wanted_is_missing() -> None:
    """What is missing is a log that matches."""
    plan = by_ids(["a", "b"])
    query = plan.take()
    assert query
    logs = (EmailLog(message_id="a"), EmailLog(message_id="b"))
    assert plan.answer(query, LogsPage(logs, size=2, limit=1000), logs[:1]) == logs[:1]
    assert plan.missing == ("b",)


def test_one_id_needs_no_list() -> None:
    """A single id is a documented filter."""
    plan = by_ids(["id-00001"])
    assert len(run(plan, keeps_lists)) == 1
    assert plan.missing == ("id-00001",)


def test_a_filter_that_is_ignored_proves_nothing() -> None:
    """Where records come that were not asked for, an id without one may still have one."""
    plan = by_ids(IDS[:3])
    run(plan, lambda _: ["somebody", "else"])
    assert plan.missing == ()
    assert set(plan.unconfirmed) == set(IDS[:3])


def test_a_full_page_is_a_gap() -> None:
    """A list whose logs fill a page, and do not tell when they were sent, can't be split."""
    plan = by_ids(["a", "b"])
    run(plan, lambda _: ["a"] * 1000)
    assert all(gap.filters["message_id"] == ("a", "b") for gap in plan.gaps)
    assert plan.gaps[0].why == "unproven"
    assert plan.unconfirmed == ("b",)


def test_records_without_an_id_leave_it_open_who_is_missing() -> None:
    """A record whose id is absent may be the one that was asked for."""
    plan = by_ids(["a"])
    (query,) = [plan.take()]
    assert query
    plan.answer(query, LogsPage((EmailLog(),), size=1, limit=1000), [EmailLog()])
    assert plan.missing == ()
    assert plan.unconfirmed == ("a",)


@given(longest=st.integers(100, 2048), count=st.integers(1, 400))
def test_lists_that_are_too_long_are_halved_and_remembered(longest: int, count: int) -> None:
    """Whatever length a service takes, every id is asked for, and the length is learned."""
    facts = ListFacts()
    plan = by_ids(IDS[:count], facts)
    asked = run(plan, keeps_lists, longest)
    answered = [q.message_id for q in asked if joined_length(q.message_id) <= longest]
    assert {one for batch in answered for one in batch} >= set(IDS[:count])
    assert len(asked) - len(answered) <= 10
    again = run(by_ids(IDS[:count], facts), keeps_lists, longest)
    assert all(joined_length(query.message_id) <= longest for query in again)


def test_one_id_that_is_too_long_for_the_service_is_its_error() -> None:
    """There is nothing to halve."""
    plan = by_ids(["a"])
    query = plan.take()
    assert query
    assert not plan.too_long(query)


def test_ids_are_asked_for_once() -> None:
    """Repeats are passed over, also between what is fed now and later."""
    plan = ByIds("bulk_id", LogsQuery(sender="s"), ListFacts(max_ids=1))
    plan.feed(["a", "b", "a"])
    plan.feed(["b"])
    plan.end_of_ids()
    asked = [query for query in iter(plan.take, None) if query]
    assert [query.bulk_id for query in asked] == [("a",), ("b",)]
    assert {query.sender for query in asked} == {"s"}


def test_ids_that_cannot_be_sent_are_refused() -> None:
    """A bad id is named."""
    plan = ByIds("bulk_id", LogsQuery(), ListFacts(max_ids=1))
    with pytest.raises(InvalidInput, match="bulk_id"):
        plan.feed([5])
    with pytest.raises(InvalidInput, match="longer than"):
        plan.feed(["x" * 3000])


def test_a_plan_waits_while_it_may_be_fed() -> None:
    """Nothing to ask by now is not the end."""
    plan = ByIds("message_id", LogsQuery(), ListFacts())
    assert plan.take() is None
    assert not plan.over
    plan.feed(["a"])
    assert plan.take() is None
    assert plan.backlog == 0
    plan.end_of_ids()
    assert plan.take()
    assert not plan.over


def test_a_window_that_one_page_holds_is_one_request() -> None:
    """A page that is not full, after a larger one, proves itself."""
    plan = Sweep(LogsQuery(limit=5), PageFacts(whole=999))
    assert len(run(plan, lambda _: ["a"] * 999)) == 1
    assert not plan.gaps
    assert plan.missing == plan.unconfirmed == ()
