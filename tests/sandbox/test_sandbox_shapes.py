"""How loose mails lie in the hours of a traffic."""

import time
import tracemalloc
from collections import Counter
from itertools import pairwise
from typing import Any

import attrs
import pytest
from asking import NOW

from infobip_email_logs.sandbox import Traffic
from infobip_email_logs.sandbox.records import milliseconds
from infobip_email_logs.sandbox.shapes import DAY, MINUTE
from infobip_email_logs.sandbox.traffic import Seeded

START = milliseconds(NOW)
HOUR = DAY // 24
LOOSE = Traffic(bulks=0, loose=20_000, hours=48)


def _made(shape: Any, seed: int = 1, **fields: Any) -> Seeded:
    traffic = attrs.evolve(LOOSE, shape=shape, **fields)
    return Seeded(traffic, seed=seed, start=START)


def _per_hour(shape: Any) -> Counter[int]:
    """Count the mails of each hour of the day."""
    return Counter(time // HOUR % 24 for time in _made(shape).times)


@pytest.mark.parametrize("shape", ["uniform", "diurnal", "bursts"])
def test_a_shape_is_drawn_from_the_seed(shape: Any) -> None:
    """Equal seeds make equal times; all of them lie in the hours, and none is missing."""
    runs = [_made(shape, seed, burst_size=300).times for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0]) == 20_000
    assert START - 2 * DAY <= runs[0][0] < runs[0][-1] < START


def test_day_and_night() -> None:
    """The busiest hour is that of the afternoon, and has five times the mails of the emptiest."""
    counts = _per_hour("diurnal")
    assert max(counts, key=counts.__getitem__) in {13, 14}
    assert min(counts, key=counts.__getitem__) in {1, 2}
    assert max(counts.values()) > 5 * min(counts.values())
    even = _per_hour("uniform")
    assert max(even.values()) < 1.5 * min(even.values())


def test_the_wave_belongs_to_the_clock() -> None:
    """The peak is at its hour of the day, wherever the traffic begins, and goes on ahead."""
    counts = Counter(time // HOUR % 24 for time in _made("diurnal", hours=3, ahead=45).times)
    assert max(counts, key=counts.__getitem__) in {13, 14}


def test_bursts() -> None:
    """Each burst lies within a minute, with nothing between one and the next."""
    times = _made("bursts", burst_size=6000).times
    begins = [0, *(at for at, (one, two) in enumerate(pairwise(times), 1) if two - one > MINUTE)]
    ends = [*begins[1:], len(times)]
    assert sorted(end - begin for begin, end in zip(begins, ends, strict=True)) == [
        2000,
        6000,
        6000,
        6000,
    ]
    assert all(
        times[end - 1] - times[begin] < MINUTE for begin, end in zip(begins, ends, strict=True)
    )


def test_a_burst_may_have_less_than_a_minute() -> None:
    """Hours that are shorter than a minute hold a burst all the same."""
    times = _made("bursts", hours=1 / 3600).times
    assert START - 1000 <= times[0] <= times[-1] < START


def test_bulks_have_no_shape() -> None:
    """The shape is that of the loose mails only."""
    bulks = attrs.evolve(LOOSE, bulks=20, loose=0)
    shaped = attrs.evolve(bulks, shape="bursts")
    one, two = (Seeded(traffic, seed=1, start=START) for traffic in (bulks, shaped))
    assert one.times == two.times


@pytest.mark.parametrize("fields", [{"shape": "square"}, {"shape": None}, {"burst_size": 0}])
def test_a_shape_that_there_is_not(fields: Any) -> None:
    """Another shape is refused, and so is an empty burst."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        Traffic(**fields)


@pytest.mark.parametrize("shape", ["uniform", "diurnal", "bursts"])
def test_very_many_are_small(shape: Any) -> None:
    """A mail takes a few bytes and a few microseconds."""
    begin = time.process_time()
    many = _made(shape, loose=100_000)
    seconds = time.process_time() - begin
    tracemalloc.start()
    kept = _made(shape, loose=20_000)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(many), len(kept)) == (100_000, 20_000)
    assert seconds < 1.5
    assert size < 20 * 20_000 + 100_000
