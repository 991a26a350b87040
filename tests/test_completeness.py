"""Whatever the service does and holds: every log comes exactly once, or is said to be missing.

Each case is a world of its own, drawn from its seed; a test here runs many of them. What fails is
told with the smallest world that was found to fail alike.
"""

import asyncio

import pytest
from judging import problems
from pulling import pull_in_process, pull_through_sockets, smallest, virtual_runner
from worlds import REAL_PAGE, World, all_pairs, draw, pairs, world

CHUNKS = 20
CASES = 120
"""The cases of a chunk."""

REAL_CHUNKS = 5
REAL_CASES = 20

SEEDS = [[f"{chunk}-{case}" for case in range(CASES)] for chunk in range(CHUNKS)]
REAL_SEEDS = [
    [f"real {chunk}-{case}" for case in range(REAL_CASES)] for chunk in range(REAL_CHUNKS)
]

ONCE_WRONG = """
    19 58 63 90 94 115 167 170 171 177 185 191 198 200 264 269 278 295 327 346 356 367 368 372 399
    405 407 439 448 483 519 527 536 564 688 693 783 820 886 982 2047 2611 88 141 562 979 1113 1876
    2272 3364 4350 5983 6468 8300 9209 11544 13632 21067 23667 26194
"""
"""Seeds of worlds, of some fifty thousand, that went wrong before something was mended."""


def check(worlds: list[World]) -> None:
    """Pull in each of the worlds; fail at the first that goes wrong."""
    with virtual_runner() as runner:
        for one in worlds:
            if wrong := _problems(runner, one):
                pytest.fail(_told(runner, one, wrong), pytrace=False)


def _problems(runner: asyncio.Runner, one: World) -> list[str]:
    return problems(one, runner.run(pull_in_process(one)))


def _told(runner: asyncio.Runner, one: World, wrong: list[str]) -> str:
    """Return what is wrong with a world, and with the smallest that is wrong in the same way."""

    def is_wrong(another: World) -> bool:
        return _kinds(wrong) <= _kinds(_problems(runner, another))

    small = smallest(one, is_wrong)
    begin = [*wrong[:20], f"in {one.seed!r} of {len(one.records)} records; and in less:"]
    return "\n".join([*begin, *_problems(runner, small)[:20], str(small)])


def _kinds(wrong: list[str]) -> set[str]:
    return {line.partition(":")[0] for line in wrong}


@pytest.mark.parametrize("seeds", SEEDS, ids=range(CHUNKS))
def test_every_log_comes_once_or_is_said_to_be_missing(seeds: list[str]) -> None:
    """In worlds with small pages, nothing is lost silently, and nothing comes twice."""
    check([world(seed) for seed in seeds])


def test_worlds_that_went_wrong_once() -> None:
    """What was lost or doubled once is neither any more."""
    check([world(seed) for seed in ONCE_WRONG.split()])


@pytest.mark.parametrize("seeds", REAL_SEEDS, ids=range(REAL_CHUNKS))
def test_pages_of_their_real_size(seeds: list[str]) -> None:
    """The same holds with pages of a thousand."""
    check([world(seed, REAL_PAGE) for seed in seeds])


@pytest.mark.parametrize("seed", range(30))
async def test_through_sockets(seed: int) -> None:
    """The same holds of the stand-in that listens on a port."""
    one = world(f"sockets {seed}")
    wrong = problems(one, await pull_through_sockets(one))
    assert not wrong, f"{one}\n{wrong}"


def test_every_pair_of_semantics_is_among_them() -> None:
    """Every value of every dimension meets every value of every other one."""
    met = {pair for seeds in SEEDS for seed in seeds for pair in pairs(draw(seed))}
    assert set(all_pairs()) - met == set()
