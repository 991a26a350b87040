"""Fuzz the decoders for a while: `nox -s fuzz -- --seconds 600`."""

import argparse
import random
import time
from collections.abc import Callable

import hypothesis
from inputs import bodies
from large import LARGE, MIB
from resources import grows_evenly, in_memory, in_time, no_more_memory
from targets import TARGETS, everything

ROUND = 500
"""The inputs between two looks at the clock."""


def main() -> None:
    """Try large inputs once, then others for so many seconds; say how many there were."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=60.0)
    words.add_argument("--seed", type=int, default=None)
    words.add_argument("--mib", type=float, default=0.25, help="the size of the large inputs")
    given = words.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    no_more_memory()
    for name, make in LARGE.items():
        try_large(name, make, int(given.mib * MIB))
    print(f"{len(LARGE)} large inputs of {given.mib} MiB are read within their bounds", flush=True)
    deadline = time.monotonic() + given.seconds
    rounds = 0
    while time.monotonic() < deadline:
        try_many(seed + rounds, ROUND)
        rounds += 1
    print(f"{rounds * ROUND} small inputs are read, each as whatever it could be")


def try_large(name: str, make: Callable[[int], bytes], size: int) -> None:
    """Read one input as whatever it could be, and see its time and its memory grow evenly."""
    half, whole = make(size // 2), make(size)
    for target, work in TARGETS.items():
        try:
            grows_evenly(work, half, whole)
            in_memory(work, half)
        except BaseException as error:
            error.add_note(f"{name}, {size} bytes, as {target}")
            raise


def try_many(seed: int, inputs: int) -> None:
    """Read so many inputs, each within its bounds; the smallest that fails is shown."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(bodies)
    def fuzz(body: bytes) -> None:
        with in_time():
            everything(body)

    fuzz()


if __name__ == "__main__":
    main()
