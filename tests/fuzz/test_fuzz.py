"""What fuzzing does for minutes (`nox -s fuzz`), for a moment: so that it can be relied on."""

import time
from collections.abc import Callable

import pytest
from fuzzing import try_large, try_many
from large import LARGE
from resources import grows_evenly, in_memory, in_time, only
from targets import TARGETS

from infobip_email_logs import DecodeError


def test_strange_inputs() -> None:
    """The decoders let the documented errors out only, and what they take is good for all uses."""
    try_many(seed=5, inputs=60)


@pytest.mark.parametrize("name", ["empty records", "a comment", "violations", "an id"])
def test_large_inputs(name: str) -> None:
    """Time and memory grow evenly with what is read."""
    try_large(name, LARGE[name], 500)


def _uneven(body: bytes) -> None:
    end = time.process_time() + 0.1 * (len(body) / 1000) ** 3
    while time.process_time() < end:
        pass


def _greedy(body: bytes) -> None:
    _ = [bytes([one]) * 2000 for one in body]


def _late(body: bytes) -> None:
    raise DecodeError("m" * 100_000)


def _wrong(body: bytes) -> None:
    raise KeyError(body)


@pytest.mark.parametrize(
    ("work", "check"),
    [
        (_uneven, lambda work: grows_evenly(work, b"y" * 1000, b"y" * 2000)),
        (_greedy, lambda work: in_memory(work, b"y" * 100_000)),
        (_late, lambda work: only(DecodeError, lambda: work(b""))),
        (_wrong, lambda work: only(DecodeError, lambda: work(b""))),
    ],
)
def test_what_is_wrong_is_noticed(
    work: Callable[[bytes], None], check: Callable[[Callable[[bytes], None]], None]
) -> None:
    """What grows unevenly, takes too much memory, tells too much or raises something else fails."""
    with pytest.raises((AssertionError, KeyError)), in_time():
        check(work)


def test_a_failure_says_what_it_came_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The input, its size and what it was read as are told with it."""
    monkeypatch.setitem(TARGETS, "pages", _wrong)
    with pytest.raises(KeyError) as caught:
        try_large("commas", LARGE["commas"], 10)
    assert caught.value.__notes__ == ["commas, 10 bytes, as pages"]
