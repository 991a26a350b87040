"""The quick way from bytes to logs is the plain way: for whatever is sent, and in what it says."""

import json
import pickle
import sys
from collections.abc import Callable, Generator
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infobip_email_logs import DecodeError, EmailLog, LogsPage, LogsQuery, RejectedRecord
from infobip_email_logs.wire import V1, V4, Dialect, Reply, read
from infobip_email_logs.wire.documents import in_pieces, piece
from infobip_email_logs.wire.quick_records import (
    LONGEST_NAME,
    LONGEST_PART,
    MOST_BESIDE,
    MOST_LEARNED,
    MOST_PARTS,
    QuickDecoder,
)
from infobip_email_logs.wire.records import VERSION_1, VERSION_4, RecordDecoder, Undecodable

ERROR = '{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR","permanent":false}'
STATUS = '{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}'
USUAL = (
    '{"messageId":"m","to":"r@example.com","from":"s@example.com","bulkId":"b","text":"Test",'
    '"sentAt":"2016-09-01T10:29:00.440+0000","doneAt":"2021-01-02T01:00:00.123Z",'
    '"messageCount":1,"price":{"pricePerMessage":0.000500,"currency":"EUR"},'
    f'"status":{STATUS},"error":{ERROR}}}'
)

Told = tuple[str, ...]


def page_of(*records: str) -> bytes:
    """Return an answer with these records."""
    return f'{{"results":[{",".join(records)}]}}'.encode()


def run(steps: Generator[None, None, Any]) -> Any:
    """Return what steps lead to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def quickly(body: bytes, dialect: Dialect = V1, *, keep: bool = True) -> LogsPage:
    """Decode a body as the client does."""
    query = LogsQuery(limit=1000)
    page: LogsPage = run(
        read(Reply(200, {}, body), dialect=dialect, query=query, page=1, keep_bad=keep)
    )
    return page


PLAIN = {1: RecordDecoder(VERSION_1), 4: RecordDecoder(VERSION_4)}


def plainly(body: bytes, dialect: Dialect = V1, *, keep: bool = True) -> LogsPage:
    """Decode a body with Python's parser and cattrs, in the plainest way."""
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise DecodeError("no JSON", page=1) from error
    if not isinstance(document, dict) or "results" not in document:
        raise DecodeError("no page", page=1)
    if not isinstance(document["results"], list):
        raise DecodeError("no page", page=1, path="$.results")
    logs: list[EmailLog] = []
    rejects: list[RejectedRecord] = []
    for index, raw in enumerate(document["results"]):
        try:
            logs.append(PLAIN[dialect.version](raw))
        except Undecodable as bad:
            path = f"$.results[{index}]{bad.path}"
            if not keep:
                raise DecodeError("bad", page=1, index=index, path=path, value=bad.value) from bad
            rejects.append(RejectedRecord(1, index, path, bad.reason, raw))
    return LogsPage(tuple(logs), tuple(rejects), len(document["results"]), 1000)


def told(decode: Callable[[], LogsPage]) -> Told:
    """Return all that comes of decoding: the logs to the last digit, or the place of the error."""
    try:
        page = decode()
    except DecodeError as error:
        value = error.value if error.index is not None else ""
        return ("error", str(error.page), str(error.index), error.path, value)
    logs = [json.dumps(log.to_dict(), sort_keys=True) for log in page.logs]
    prices = [str(log.price and log.price.price_per_message) for log in page.logs]
    rejects = [json.dumps(reject.to_dict(), sort_keys=True) for reject in page.rejects]
    return (str(page.size), *logs, *prices, *rejects)


TOKENS = st.sampled_from(
    [
        *("null", "true", "false", "0", "-0", "1", "3", "-17", "1.0", "0.0005000000", "5E-4"),
        *(
            "1e400",
            "1e-400",
            "1e1000",
            "0.1000000000000000055511151231257827",
            "9" * 40,
            "01",
            "1.",
        ),
        *("18446744073709551616", "1e999999999999999999999", "NaN", "Infinity", "-Infinity", "nul"),
        *('"1"', '"m"', '""', '"EUR"', '"DELIVERED"', '"é€😀"', r'"\u00e9"', r'"\ud83d\ude00"'),
        *(r'"\ud800"', '"\x01"', '"\t"', r'"\x"', r'"\u12"', r'"\/"', '" 5 "', '"true"', "'a'"),
        *('"2016-09-01T10:29:00.440+0000"', '"2016-09-01T11:29:00.440+01:00"', '"yesterday"'),
        *('"2021-01-02T01:00:00Z"', '"2021-01-02T01:00:00"', '"9999-12-31T23:59:59-01:00"'),
        *("{}", "[]", '{"a":1}', "[1.50]", "[1,]", '{"a":1,}', "{1:2}", ERROR, STATUS, "9" * 5000),
        *('{"pricePerMessage":0.50,"currency":"EUR"}', '{"pricePerMessage":0.5,"currency":"EUR"}'),
        *('{"pricePerMessage":true}', '{"pricePerMessage":1}', '{"pricePerMessage":NaN}'),
        *('{"groupId":true}', '{"groupId":1,"hint":[1]}', '{"groupId":1,"hint":2.50}'),
        *('{"entityId":"e"}', '{"entityId":1,"applicationId":"a"}', '{"entityId":"e","new":1}'),
        "[" * 100_000,
    ]
)
NAMES = st.sampled_from(
    [
        *("messageId", "bulkId", "from", "to", "sender", "destination", "sentAt", "doneAt", "text"),
        *("messageCount", "price", "status", "error", "channel", "applicationId", "entityId"),
        *(
            "platform",
            "campaignReferenceId",
            "extra",
            "__class__",
            "new-one",
            "é",
            "a.b",
            "",
            r"\n",
        ),
        *(r"\ud800", r"pr\u0069ce", *(f"new{number}" for number in range(30))),
    ]
)
OBJECTS = st.lists(st.tuples(NAMES, TOKENS), max_size=6)
PLACES = st.sampled_from(["results", "cursor", "other"])
USUALS = st.just(USUAL)


def written(fields: list[tuple[str, str]]) -> str:
    """Return an object as JSON, or as what it is instead."""
    return "{" + ", ".join(f'"{name}" : {token}' for name, token in fields) + "}"


RECORDS = st.lists(USUALS | OBJECTS.map(written) | TOKENS, max_size=4)
ENVELOPES = st.lists(st.tuples(PLACES, TOKENS), max_size=2)
DIALECTS = st.sampled_from([V1, V4])


def repeats_a_name(body: bytes) -> bool:
    """Say whether an object has a name twice."""
    repeated = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        repeated |= len(dict(found)) < len(found)
        return dict(found)

    try:
        json.loads(body, object_pairs_hook=pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return repeated


def alike(body: bytes, dialect: Dialect, *, keep: bool) -> bool:
    """Say whether both ways lead to the same.

    A number beyond all bounds that a later field of the same name takes the place of, may be
    looked at or not. That version 4 looks at the cursor, is another matter.
    """
    plain = told(lambda: plainly(body, dialect, keep=keep))
    quick = told(lambda: quickly(body, dialect, keep=keep))
    if plain[0] == "error" != quick[0] and repeats_a_name(body):
        return True
    return quick == plain or (dialect is V4 and quick[3].startswith("$.cursor"))


@settings(deadline=None)  # a loaded machine may take its time
@given(records=RECORDS, beside=ENVELOPES, dialect=DIALECTS, keep=st.booleans())
@example(records=[USUAL, '{"to":5.5}', '{"new":"\\ud800"}'], beside=[], dialect=V1, keep=False)
@example(
    records=['{"to":5.5}', '{"new":1e999999999999999999999}'], beside=[], dialect=V1, keep=False
)
@example(records=[USUAL], beside=[("other", "[1e999999999999999999999]")], dialect=V1, keep=True)
@example(
    records=[USUAL], beside=[("other", '{"a":1e999999999999999999999}')], dialect=V1, keep=True
)
@example(records=[USUAL], beside=[("other", "1.5")], dialect=V4, keep=True)
@example(
    records=['{"platform":{"entityId":"e"}}', '{"platform":null}'],
    beside=[],
    dialect=V4,
    keep=True,
)
def test_any_document_is_read_as_the_plain_decoder_reads_it(
    *, records: list[str], beside: list[tuple[str, str]], dialect: Dialect, keep: bool
) -> None:
    """Right, wrong, strange and broken values at all places: the same logs, rejects and errors."""
    fields = [*beside, ("results", f"[{','.join(records)}]")]
    assert alike(written(fields).encode(), dialect, keep=keep)


CUTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=4)), max_size=3)


@settings(deadline=None)  # a loaded machine may take its time
@given(records=RECORDS, cuts=CUTS, dialect=DIALECTS, keep=st.booleans())
@example(records=[USUAL], cuts=[(0.1, 1, b"\xff")], dialect=V1, keep=True)
def test_any_bytes_are_read_as_the_plain_decoder_reads_them(
    *, records: list[str], cuts: list[tuple[float, int, bytes]], dialect: Dialect, keep: bool
) -> None:
    """Whatever is cut out of an answer, and put in: the same logs, rejects and errors."""
    body = page_of(USUAL, *records)
    for place, length, instead in cuts:
        at = int(place * len(body))
        body = body[:at] + instead + body[at + length :]
    assert alike(body, dialect, keep=keep)


def test_bytes_that_are_no_text_are_no_answer_wherever_they_are() -> None:
    """Not even where a later field of the same name takes their place."""
    body = page_of('{"price":"?","price":null}').replace(b"?", b"\xff")
    assert told(lambda: quickly(body)) == told(lambda: plainly(body))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_an_answer_in_another_encoding_is_read(encoding: str) -> None:
    """Python's parser knows the other encodings of JSON, and the byte order mark."""
    body = page_of(USUAL).decode().encode(encoding)
    assert quickly(body) == plainly(page_of(USUAL))


def pieces(*records: str) -> list[msgspec.Raw]:
    """Return records that are not parsed."""
    found: list[msgspec.Raw] = run(in_pieces(page_of(*records), 1))["results"]
    return found


@pytest.mark.parametrize("names", [VERSION_1, VERSION_4])
def test_a_usual_record_takes_the_quick_way(names: dict[str, str]) -> None:
    """What makes decoding quick is not given up in silence."""
    record = USUAL
    if names is VERSION_4:
        record = USUAL.replace('"from"', '"sender"').replace('"to"', '"destination"')
        record = record[:-1] + ',"platform":{"entityId":"e","applicationId":"a"}}'
    decoder = QuickDecoder(names)
    (sent,) = pieces(record)
    assert decoder._quickly(sent) == decoder(sent) == RecordDecoder(names)(piece(record.encode()))


def test_a_log_is_frozen_however_it_was_made() -> None:
    """It is of the class that all are of, and equal to one that was made from its values."""
    (log,) = quickly(page_of(USUAL)).logs
    assert type(log) is EmailLog
    assert log == EmailLog(**{field.name: getattr(log, field.name) for field in fields(EmailLog)})
    for change in (partial(setattr, log, "text", ""), partial(delattr, log, "text")):
        with pytest.raises(FrozenInstanceError):
            change()


def test_equal_parts_are_one_value() -> None:
    """What was sent byte for byte the same is shared by the logs; a digit more is another."""
    cheaper = USUAL.replace("0.000500", "0.0005")
    one, two, three = quickly(page_of(USUAL, USUAL, cheaper)).logs
    assert one.status is two.status is three.status
    assert one.price is two.price is not three.price
    assert str(one.price and one.price.price_per_message) == "0.000500"
    assert str(three.price and three.price.price_per_message) == "0.0005"


def test_what_is_shared_can_not_be_changed() -> None:
    """Unknown fields of a part are read, copied and pickled, but not written; lists are no part."""
    record = '{"status":{"hint":1.5},"error":{"hints":[1]}}'
    one, two = quickly(page_of(record, record)).logs
    assert one.status is two.status
    assert one.error is not two.error
    assert one.error == two.error
    for change in ("clear()", "pop('hint')", "update(a=1)", "__setitem__('hint', 2)"):
        with pytest.raises(TypeError, match="can't be changed"):
            eval(f"one.status.extra.{change}", {"one": one})
    assert pickle.loads(pickle.dumps(one)) == one
    assert dict(one.status.extra) | {"a": 1} == {"hint": Decimal("1.5"), "a": 1}  # type: ignore[union-attr]


def test_parts_are_forgotten_before_they_are_many() -> None:
    """A service with ever new parts fills no memory: neither many of them, nor long ones."""
    decoder = QuickDecoder(VERSION_1)
    ((_, prices), (_, statuses), _) = decoder._parts
    for number in range(MOST_PARTS + 5):
        (sent,) = pieces(f'{{"status":{{"id":{number}}},"price":{{"currency":"{number:09999}"}}}}')
        decoder(sent)
        assert len(statuses) <= MOST_PARTS
    assert len(statuses) == 5
    assert not prices
    assert all(len(part) <= LONGEST_PART for part in statuses)


@pytest.mark.parametrize(("beside", "kept"), [(MOST_BESIDE, 1), (MOST_BESIDE + 1, 0)])
def test_parts_with_many_unknown_fields_are_not_remembered(beside: int, kept: int) -> None:
    """What is short as it was sent may be large as a value."""
    decoder = QuickDecoder(VERSION_1)
    status = {f"f{number}": number for number in range(beside)}
    (sent,) = pieces(json.dumps({"status": status}))
    log = decoder(sent)
    assert log.status
    assert log.status.extra == status
    assert [len(parts) for _, parts in decoder._parts] == [0, kept, 0]


def test_new_fields_are_expected_once_they_were_met() -> None:
    """The next record with them takes the quick way, and one without them has none."""
    decoder = QuickDecoder(VERSION_1)
    met, again, without = pieces('{"new":1.50,"to":"x"}', '{"new":{"a":[2]}}', '{"to":"x"}')
    assert decoder(met).extra == {"new": Decimal("1.50")}
    assert decoder._quickly(again).extra == {"new": {"a": [2]}}
    assert decoder._quickly(without).extra == {}


def test_no_more_than_a_few_new_fields_are_expected() -> None:
    """A service with ever new fields, or long ones, gets slower answers, not larger structures."""
    decoder = QuickDecoder(VERSION_1)
    names = [f"new{number}" for number in range(3 * MOST_LEARNED)]
    for name in ("__class__", "not-plain", "n" * (LONGEST_NAME + 1), *names):
        (sent,) = pieces(f'{{"{name}":1}}')
        assert decoder(sent).extra == {name: 1}
    assert decoder._expected.learned == tuple(names[:MOST_LEARNED])


def test_the_plain_decoder_is_asked_for_unusual_records_only() -> None:
    """A mistyped record costs a second look at itself, not at its page."""
    calls = 0

    def profile(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is RecordDecoder.__call__.__code__

    body = page_of(*[USUAL] * 99, '{"to":1.5}')
    sys.setprofile(profile)
    try:
        page = quickly(body)
    finally:
        sys.setprofile(None)
    assert (len(page.logs), len(page.rejects), calls) == (99, 1, 1)
