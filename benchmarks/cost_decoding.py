"""From the bytes of a page to its logs: the processor's time, beside parsers and the vendor."""

import json
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any

import attrs
from cost_pages import RECORDS, mistyped, of_version_4, page, with_new_field
from measuring import Result, Row, beside_peers, least

from infobip_email_logs import LogsPage, LogsQuery
from infobip_email_logs.wire import V1, V4, Dialect, Reply, read
from infobip_email_logs.wire.quick_records import QuickDecoder
from infobip_email_logs.wire.records import VERSION_1, VERSION_4

ROUNDS = 25
LIMIT = 4.0
VENDOR_LIMIT = 0.25

PAGES = {
    "decode-v1": (V1, page()),
    "decode-v1-new-field": (V1, page(with_new_field)),
    "decode-v1-mistyped": (V1, page(mistyped)),
    "decode-v1-both": (V1, page(with_new_field, mistyped)),
    "decode-v1-long": (V1, page(words=16)),
    "decode-v4": (V4, page(of_version_4)),
}


def rows() -> Iterator[Row]:
    """Yield a row for each kind of page, and one beside the vendor's client."""
    for name, (dialect, body) in PAGES.items():
        yield beside_peers(name, partial(_beside_a_parser, name, dialect, body))
    yield beside_peers("decode-vendor", _beside_the_vendor)


def fresh(dialect: Dialect) -> Dialect:
    """Return a dialect that has met no unknown fields yet."""
    return attrs.evolve(dialect, log=QuickDecoder(VERSION_1 if dialect is V1 else VERSION_4))


def decoded(dialect: Dialect, body: bytes) -> LogsPage:
    """Return a page as the client does."""
    query = LogsQuery(limit=RECORDS)
    steps = read(Reply(200, {}, body), dialect=dialect, query=query, page=1, keep_bad=True)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: LogsPage = end.value
            return found


def _beside_a_parser(name: str, dialect: Dialect, body: bytes) -> list[Result]:
    orjson = import_module("orjson")
    dialect = fresh(dialect)
    found = decoded(dialect, body)
    bad = RECORDS // 100 if mistyped(50, {})["text"] and b'"text":1.5' in body else 0
    wrong = "" if (len(found.logs), len(found.rejects)) == (RECORDS - bad, bad) else "not all"
    ours, theirs, plain = least(
        ROUNDS,
        partial(decoded, dialect, body),
        partial(orjson.loads, body),
        partial(json.loads, body),
    )
    note = f"{_micro(ours)} a record, orjson {_micro(theirs)}, json {_micro(plain)}"
    return [Result(f"{name}: time / orjson.loads", ours / theirs, LIMIT, wrong, note)]


def _micro(seconds: float) -> str:
    return f"{seconds / RECORDS * 1e6:.1f} µs"


def _beside_the_vendor() -> list[Result]:
    """Version 6.0.0 asks version 4: its own page has the same records."""
    models = import_module("infobip_api_client.models")
    own = page(of_version_4)

    def theirs() -> Any:
        return models.EmailLogsResponse.from_dict(json.loads(own))

    wrong = "" if len(theirs().results) == RECORDS else "not all"
    vendor, one, four = least(
        ROUNDS, theirs, partial(decoded, fresh(V1), page()), partial(decoded, fresh(V4), own)
    )
    note = f"vendor {_micro(vendor)} a record"
    return [
        Result("decode-vendor: version 1 / its model", one / vendor, VENDOR_LIMIT, wrong, note),
        Result("decode-vendor: version 4 / its model", four / vendor, VENDOR_LIMIT, wrong, note),
    ]
