"""Ids into the fewest batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.batches import MAX_LENGTH, Packer, halves, joined_length, pack
from infobip_email_logs.errors import InvalidInput
from infobip_email_logs.wire import urls

IDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1, max_size=40),
    unique=True,
    max_size=200,
)


@given(IDS)
def test_every_id_is_in_exactly_one_batch(ids: list[str]) -> None:
    """Nothing is lost, nothing is asked for twice."""
    batches = pack(ids, max_length=500, max_ids=30)
    assert sorted(one for batch in batches for one in batch) == sorted(ids)


@given(IDS)
def test_no_batch_is_too_long_or_too_large(ids: list[str]) -> None:
    """A batch keeps both bounds, counted in encoded characters."""
    for batch in pack(ids, max_length=500, max_ids=30):
        assert len(",".join(map(urls.encode, batch))) == joined_length(batch) <= 500
        assert len(batch) <= 30


@given(
    count=st.integers(0, 3000),
    length=st.integers(1, 64),
    max_length=st.integers(64, 4096),
    max_ids=st.integers(1, 999),
)
def test_ids_of_one_length_need_the_fewest_batches_there_can_be(
    count: int, length: int, max_length: int, max_ids: int
) -> None:
    """For ids of one length, as UUIDs are, the number of batches is the least possible."""
    ids = [str(number).zfill(length) for number in range(min(count, 10**length))]
    per_batch = min((max_length + 1) // (length + 1), max_ids)
    assert len(pack(ids, max_length=max_length, max_ids=max_ids)) == -(-len(ids) // per_batch)


@given(IDS)
def test_mixed_lengths_stay_near_the_least(ids: list[str]) -> None:
    """For mixed lengths there are never more than 11/9 of the least number, and one."""
    batches = pack(ids, max_length=500, max_ids=1000)
    least = -(-sum(len(urls.encode(one)) + 1 for one in ids) // 501)
    assert len(batches) <= least * 11 / 9 + 1


@given(IDS, st.integers(0, 5))
def test_ids_that_come_one_by_one_are_packed_without_knowing_the_rest(
    ids: list[str], max_open: int
) -> None:
    """A packer keeps its bounds, however few batches it may hold open."""
    packer = Packer(max_length=500, max_ids=30, max_open=max_open)
    batches = [batch for one in ids if (batch := packer.add(one))]
    batches += packer.flush()
    assert sorted(one for batch in batches for one in batch) == sorted(ids)
    assert all(joined_length(batch) <= 500 and len(batch) <= 30 for batch in batches)


def test_two_thousand_uuids_fit_into_thirty_seven_requests() -> None:
    """55 UUIDs make a list of 2034 characters."""
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(2000)]
    batches = pack(ids, max_length=MAX_LENGTH, max_ids=999)
    assert len(batches) == 37
    assert max(map(len, batches)) == 55


def test_an_id_that_fits_nowhere_is_refused() -> None:
    """One id longer than a whole list can't be asked for."""
    with pytest.raises(InvalidInput, match="longer than 10 characters"):
        pack(["12345678901"], max_length=10, max_ids=5)


def test_halves_share_a_batch_between_them() -> None:
    """A list that is too long for the service is asked for in two."""
    assert halves(("a", "b", "c")) == (("a",), ("b", "c"))
