"""Worlds to pull logs in, drawn from a seed: how the service behaves, what it holds, what is asked.

Each semantic of the service, and each trait of data and call, is a dimension that is drawn for
itself. The pages are small (or as large as they really are), and all sizes go with them.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import attrs

from infobip_email_logs import LogsQuery
from infobip_email_logs.page_facts import SMALLEST_CAP
from infobip_email_logs.sandbox import STATUSES, Record, Settings, Status

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
"""The service's clock when a pull begins; the data lie around it."""

MILLISECOND = timedelta(milliseconds=1)
RETENTION = 48 * 3_600_000
"""The milliseconds that a record is kept for."""

SMALL_PAGE = 30
REAL_PAGE = 1000

GROUPS = ("ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED")
"""The status groups that can be asked for."""

DIMENSIONS: Mapping[str, tuple[Any, ...]] = {
    "version": (1, 1, 4),
    "choice": ("latest", "latest", "earliest", "random", "hash", "stretch"),
    "order": ("newest", "oldest", "random", "by_id"),
    "ties": ("newest", "oldest", "random"),
    "bounds": ("[]", "[)", "(]", "()"),
    "cap": ("none", "none", "none", "low", "odd", "half"),
    "cursor_end": ("absent", "null", "empty_page"),
    "short_pages": (False, True),
    "cursor_life": ("long", "long", "long", "dies", "repeats", "none"),
    "pace": ("quick", "quick", "slow"),
    "latency": ("none", "some"),
    "concurrency": (1, 3, 8),
    "consumer": ("quick", "quick", "slow"),
    "window": ("both", "both", "since", "until", "none"),
    "filter": ("none", "none", "general_status", "sender", "destination"),
    "limit": ("none", "none", "none", "none", "some"),
    "crowd": ("none", "none", "below", "full", "over", "far over"),
    "ids": ("own", "own", "shared", "absent"),
    "statuses": ("known", "any"),
    "settling": ("before", "before", "meanwhile"),
    "late": ("none", "none", "slow logs", "stragglers"),
    "expiring": ("none", "none", "some"),
    "hidden": ("none", "none", "none", "none", "none", "some", "all"),
    "fraction": (True, True, True, False),
    "known": (False, False, True),
    "offset": ("Z", "+0000", "+01:00"),
}
"""What is drawn, and from what: a value that stands there twice is drawn twice as often."""

OF_CURSORS = frozenset({"cursor_end", "short_pages", "cursor_life"})
"""The dimensions that matter in version 4 only."""

CHEAP: dict[str, Any] = dict.fromkeys(("price", "currency", "error", "channel", "message_count"))
"""The fields that the records go without: they would only take time."""

Drawn = Mapping[str, Any]
Pair = frozenset[tuple[str, Any]]


@attrs.frozen(kw_only=True)
class World:
    """A service, its records and a call.

    Attributes:
        seed: What it was drawn from.
        drawn: The value of each dimension.
        page: How many records a request asks for.
        settings: How the service behaves.
        records: What it holds, in the order of their adding.
        query: What is asked.
    """

    seed: str
    drawn: Drawn
    page: int
    settings: Settings
    records: tuple[Record, ...]
    query: LogsQuery

    @property
    def version(self) -> int:
        """The version of the API that is asked."""
        version: int = self.drawn["version"]
        return version

    @property
    def capacity(self) -> int:
        """How many records a page really holds."""
        return capacity(self.page, self.settings.page_cap)

    def shown(self, at: int) -> int:
        """Return how an instant is told, both in milliseconds from :data:`NOW`."""
        now = NOW.microsecond // 1000
        return at if self.settings.fraction else (at + now) // 1000 * 1000 - now

    @property
    def suspicious(self) -> int:
        """The records of a page from which on the service may be suspected to cut it."""
        return min(SMALLEST_CAP, self.page // 3)

    def __str__(self) -> str:
        """Return what there is to know, to read."""
        usual = Settings()
        fields = [field.name for field in attrs.fields(Settings)]
        own = {n: v for n in fields if (v := getattr(self.settings, n)) != getattr(usual, n)}
        lines = [f"world {self.seed!r}, page {self.page}", f"  drawn: {dict(self.drawn)}"]
        lines += [f"  settings: {own}", f"  query: {asked(self.query)}"]
        groups = Counter(map(described, self.records))
        return "\n".join(
            [*lines, *(f"  {n} x {told}" for told, n in sorted(groups.items())[:MOST_LINES])]
        )


MOST_LINES = 60
"""The lines of a message that tell of records, at most."""


def capacity(page: int, cap: int | None) -> int:
    """Return how many records a page holds when so many are asked for."""
    return page if cap is None else min(page, cap)


def asked(query: LogsQuery) -> dict[str, Any]:
    """Return what a query names, bounds as milliseconds from :data:`NOW`."""
    named = attrs.asdict(query, filter=lambda _, value: bool(value))
    return {n: (v - NOW) / MILLISECOND if isinstance(v, datetime) else v for n, v in named.items()}


def described(record: Record) -> str:
    """Return a record on one line, its times as milliseconds from :data:`NOW`."""
    sent = (record.sent_at - NOW) // MILLISECOND
    appears = record.visible_at and (record.visible_at - NOW) // MILLISECOND
    status = record.status and record.status.name
    told = (record.message_id, record.destination, record.bulk_id, record.sender, record.text)
    return f"{sent:>13} ms: {told} {status} visible={appears} hidden={set(record.hidden)}"


def draw(seed: str) -> Drawn:
    """Return a value for each dimension."""
    rng = random.Random(f"semantics {seed}")
    return {name: rng.choice(values) for name, values in DIMENSIONS.items()}


def pairs(drawn: Drawn) -> Iterator[Pair]:
    """Return the pairs of values that meet here; those of cursors only where there are cursors."""
    told = [it for it in drawn.items() if drawn["version"] == 4 or it[0] not in OF_CURSORS]
    return map(frozenset, combinations(told, 2))


def all_pairs() -> Iterator[Pair]:
    """Return the pairs of values of two dimensions that can meet."""
    for (one, values), (other, others) in combinations(DIMENSIONS.items(), 2):
        for value in set(values):
            for another in set(others):
                if not _excluded({one: value, other: another}):
                    yield frozenset({(one, value), (other, another)})


def _excluded(pair: Drawn) -> bool:
    return pair.get("version") == 1 and bool(pair.keys() & OF_CURSORS)


def world(seed: str, page: int = SMALL_PAGE, **fixed: Any) -> World:
    """Return the world of a seed; some of its dimensions may be told."""
    drawn = {**draw(seed), **fixed}
    rng = random.Random(f"data {seed} {page}")
    settings = _settings(drawn, rng, page)
    moments = _moments(drawn, rng, capacity(page, settings.page_cap))
    records = tuple(_records(drawn, rng, moments))
    query = _query(drawn, rng, moments, page)
    return World(seed=seed, drawn=drawn, page=page, settings=settings, records=records, query=query)


def _settings(drawn: Drawn, rng: random.Random, page: int) -> Settings:
    none, dies, repeats = (drawn["cursor_life"] == name for name in ("none", "dies", "repeats"))
    life = rng.randint(1, 4)
    return Settings(
        v1_limits=(),
        v4_limits=(),
        latency=(0.0, rng.choice((0.2, 4.0))) if drawn["latency"] == "some" else (0.0, 0.0),
        visible_after=rng.uniform(1, 60) if drawn["late"] == "slow logs" else 0.0,
        pending_for=rng.uniform(1, 7200) if drawn["settling"] == "meanwhile" else 0.0,
        since_inclusive=drawn["bounds"][0] == "[",
        until_inclusive=drawn["bounds"][1] == "]",
        full_page=drawn["choice"],
        order=drawn["order"],
        ties=drawn["ties"],
        page_cap=_cap(drawn["cap"], page),
        cursor_end=drawn["cursor_end"],
        cursor_short_pages=drawn["short_pages"],
        cursor_dies_after=life if dies else None,
        cursor_repeats_after=life if repeats else None,
        ignored_filters={"useCursor"} if none else (),
        absent={"sentAt"} if drawn["hidden"] == "all" else (),
        offset=drawn["offset"],
        fraction=drawn["fraction"],
    )


def _cap(name: str, page: int) -> int | None:
    if page == REAL_PAGE:
        return {"none": None, "low": 50, "odd": 137, "half": 500}[name]
    return {"none": None, "low": page // 3, "odd": page * 2 // 3 + 1, "half": page // 2}[name]


SPREADS = (20, 1_000, 60_000, 3_600_000)
SPANS = (3_000, 600_000, 20 * 3_600_000, RETENTION - 3_600_000)


def _moments(drawn: Drawn, rng: random.Random, most: int) -> list[int]:
    """Return when records were sent, in milliseconds from now: heaps, with nothing between."""
    span = rng.choice(SPANS)
    sizes = (1, 2, most // 2, most - 1, most, most + 1, 2 * most + 1)
    moments: list[int] = []
    for _ in range(rng.randint(1, 4)):
        begin, spread = -rng.randrange(span), rng.choice(SPREADS)
        size = rng.choice(sizes)
        moments += [begin + rng.randrange(spread) for _ in range(min(size, spread))]
    moments += _crowd(drawn["crowd"], rng, -rng.randrange(span), most)
    if drawn["expiring"] == "some":
        moments += [rng.randrange(90_000) - RETENTION for _ in range(rng.randint(1, most + 1))]
    if drawn["late"] == "stragglers":
        moments += [rng.randrange(-2_000, 60_000) for _ in range(most // 2)]
    rng.shuffle(moments)
    return moments


def _crowd(name: str, rng: random.Random, at: int, most: int) -> list[int]:
    """Return a pile-up in one millisecond, with a few beside it."""
    sizes = {
        "none": 0,
        "below": rng.randint(2, most - 1),
        "full": most,
        "over": most + rng.randint(1, most),
        "far over": 2 * most + rng.randint(1, most),
    }
    beside = [at + rng.choice((-2, -1, 1, 2)) for _ in range(rng.randint(0, most // 4))]
    return [at] * sizes[name] + (beside if sizes[name] else [])


def _records(drawn: Drawn, rng: random.Random, moments: Sequence[int]) -> Iterator[Record]:
    """Return a record for each moment; with shared ids, some are the same as the one before."""
    statuses = _statuses(drawn)
    last: Record | None = None
    for number, moment in enumerate(moments):
        if last and drawn["ids"] == "shared" and rng.random() < 0.2:
            yield last
            continue
        last = Record(
            **_mail(drawn["ids"], rng, number),
            **CHEAP,
            sent_at=NOW + moment * MILLISECOND,
            status=rng.choice(statuses),
            visible_at=_appearance(drawn, rng),
            hidden={"sentAt"} if drawn["hidden"] == "some" and rng.random() < 0.2 else (),
        )
        yield last


def _statuses(drawn: Drawn) -> list[Status | None]:
    known = list(STATUSES.values())
    if drawn["statuses"] == "known":
        return [*known]
    return [*known, None, Status(99, "SEEN", 99, "SEEN_SOMEWHERE", "A group of its own")]


def _mail(kind: str, rng: random.Random, number: int) -> dict[str, Any]:
    """Return what stays of a record, the same wherever a message id and its fellows are."""
    own = f"{rng.randrange(10_000):04}-{number}"
    shared = rng.choice(("shared-1", "shared-2", None))
    known: dict[str, Any] = {
        "message_id": {"own": own, "shared": shared, "absent": rng.choice((own, None))}[kind],
        "bulk_id": rng.choice(("bulk-1", "bulk-2", None)),
        "destination": rng.choice(("emil@example.com", "ida@example.org", None)),
    }
    same = random.Random(repr(known)) if known["message_id"] else rng
    return known | {
        "sender": same.choice(("anna@example.com", "otto@example.org", None)),
        "text": same.choice(("one text", "other text")),
    }


def _appearance(drawn: Drawn, rng: random.Random) -> datetime | None:
    if drawn["late"] != "stragglers" or rng.random() < 0.8:
        return None
    return NOW + rng.randrange(60_000) * MILLISECOND


def _query(drawn: Drawn, rng: random.Random, moments: Sequence[int], page: int) -> LogsQuery:
    return LogsQuery(
        **_window(drawn["window"], rng, sorted(moments)),
        **_filter(drawn["filter"], rng),
        limit=rng.randint(1, min(1000, 3 * page)) if drawn["limit"] == "some" else None,
    )


def _window(name: str, rng: random.Random, moments: Sequence[int]) -> dict[str, Any]:
    """Return bounds at records, just beside them, or between two milliseconds."""
    first = moments[rng.randrange(len(moments) // 3 + 1)]
    last = moments[-1 - rng.randrange(len(moments) // 3 + 1)]
    shift = [rng.choice((-1, 0, 0, 1, 0.4, rng.randrange(9_999))) for _ in range(2)]
    since = NOW + (first - shift[0]) * MILLISECOND
    until = max(since, NOW + (last + shift[1]) * MILLISECOND)
    bounds = {"sent_since": since, "sent_until": until}
    return {key: bound for key, bound in bounds.items() if name in ("both", key[5:])}


def _filter(name: str, rng: random.Random) -> dict[str, Any]:
    values = {
        "general_status": rng.choice(GROUPS),
        "sender": "anna@example.com",
        "destination": "emil@example.com",
    }
    return {name: values[name]} if name in values else {}
