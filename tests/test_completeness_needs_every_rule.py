"""Each rule of a sweep is needed: without any single one, a usual case of the worlds fails."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pytest
from judging import problems
from pulling import pull_in_process, virtual_runner
from test_completeness import SEEDS
from worlds import world

from infobip_email_logs import chains, piles, scans, stretches
from infobip_email_logs.overlap import Item, Seen
from infobip_email_logs.page_facts import Choice, PageFacts, Verdict
from infobip_email_logs.scans import Scan
from infobip_email_logs.stretches import Outcome, Stretch, View
from infobip_email_logs.sweep import Sweep

Patch = pytest.MonkeyPatch


def no_overlap(patch: Patch) -> None:
    """Continue a page below its oldest millisecond, as if no tie could be cut."""
    follow = Scan._follow

    def below(scan: Scan, view: View, sign: int) -> Outcome:
        outcome = follow(scan, view, sign)
        for rest in outcome.then:
            if isinstance(rest, Scan) and sign > 0:
                rest.high = min(rest.high, view.times[0] - 1)
        return outcome

    patch.setattr(Scan, "_follow", below)


def no_dropping(patch: Patch) -> None:
    """Hand over what an overlap repeats."""
    patch.setattr(Stretch, "seen", property(lambda _: Counter()))


def no_ordinal(patch: Patch) -> None:
    """Take equal identities for the same record."""

    def beyond(found: Iterable[Item], known: Seen) -> list[Item]:
        return [item for item in found if item.key not in known]

    for room in (stretches, scans, chains):
        patch.setattr(room, "beyond", beyond)


def no_check_of_order(patch: Patch) -> None:
    """Believe that a full page holds the latest records."""

    def believe(scan: Scan, view: View) -> Outcome:
        view.bearings.choice, scan.floor = Choice.LATEST, view.times[0]
        return scan.take_in(view)

    patch.setattr(scans, "check", believe)
    patch.setattr(Scan, "contradicted", lambda *_: False)


def no_split(patch: Patch) -> None:
    """Give a millisecond up that fills a page."""
    patch.setattr(piles.Part, "split", lambda *_: iter(()))


def no_doubt(patch: Patch) -> None:
    """Believe that a page is cut at the limit only."""

    def verdict(facts: PageFacts, size: int) -> Verdict:
        return Verdict.FULL if size >= facts.cap else Verdict.WHOLE

    patch.setattr(PageFacts, "verdict", verdict)


def no_wider_bounds(patch: Patch) -> None:
    """Believe that bounds are inclusive."""
    request = Sweep._request

    def believe(sweep: Sweep, stretch: Stretch) -> Any:
        sweep._facts.since_inclusive = sweep._facts.until_inclusive = True
        return request(sweep, stretch)

    patch.setattr(Sweep, "_request", believe)


def no_word_of_expiry(patch: Patch) -> None:
    """Do not say what expired."""
    patch.setattr(Sweep, "_note_expired", lambda *_: None)


RULES = [
    no_overlap,
    no_dropping,
    no_ordinal,
    no_check_of_order,
    no_split,
    no_doubt,
    no_wider_bounds,
    no_word_of_expiry,
]


@pytest.mark.parametrize("without", RULES, ids=lambda rule: rule.__name__)
def test_a_case_fails(without: Callable[[Patch], None]) -> None:
    """Without a rule of the sweep, at least one of the usual cases fails."""
    with pytest.MonkeyPatch.context() as patch, virtual_runner() as runner:
        without(patch)
        assert any(_fails(runner, seed) for seed in _seeds())


def _seeds() -> Iterator[str]:
    return chain.from_iterable(SEEDS)


def _fails(runner: asyncio.Runner, seed: str) -> bool:
    one = world(seed)
    return bool(problems(one, runner.run(pull_in_process(one))))
