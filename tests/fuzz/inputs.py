"""What strangers send: documents that are nearly right, and what no document ever was."""

import json
from typing import Any

from hypothesis import strategies as st

FIELDS = [
    *("messageId", "bulkId", "to", "from", "sender", "destination", "text", "sentAt", "doneAt"),
    *("messageCount", "price", "status", "error", "channel", "applicationId", "entityId"),
    *("platform", "campaignReferenceId", "pricePerMessage", "currency", "groupId", "groupName"),
    *("id", "name", "description", "action", "permanent", "extra", "results", "result", "cursor"),
    *("nextCursor", "limit", "requestError", "serviceException", "messageId", "validationErrors"),
    *("errorCode", "violations", "property", "violation", "access_token", "expires_in", "", "x"),
]

NUMBERS = [
    *("0", "-0", "1", "-1", "1.0", "0.0005", "1e5", "1E400", "-1e-400", "1e999999999", "NaN"),
    *("Infinity", "-Infinity", "1e9999999999999999999", "9" * 18, "9" * 30, "9" * 4299),
    *("9" * 4301, "-" + "9" * 5000, "1." + "3" * 5000, "0." + "0" * 5000 + "1", "1_0", "01"),
    *("1e+0000000000000000000000001", "2" * 64),
]

INSTANTS = [
    *("2021-01-02T01:00:00.123Z", "2016-08-22T17:42:05.390+0100", "2016-08-22T17:42:05.390+01:00"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999Z"),
    *("9999-12-31T23:59:59.999-14:00", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"),
    *("2021-02-30T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01T23:59:60Z", "2021-W01-1"),
    *("2021-01-01T00:00:00", "2021-01-01T00:00:00+24:00", "2021-01-01T00:00:00+23:59:59.999999"),
    *("20210101T000000Z", "2021-01-01 00:00:00Z", "2021-01-01\ud80000:00:00Z", "\uff12021-01-01"),
    *("2021-01-01T00:00:00,1+00:00:00.1", "now", "0", "", "-2021-01-01T00:00:00Z"),
]

WAITS = [
    *(
        "0",
        "1",
        "120",
        "-1",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1_000",
        "\uff11\uff12",
        " 5 ",
        "+5",
    ),
    *("9" * 64, "9" * 65, "0." + "9" * 62, "1" * 5000, "Wed, 01 Jul 2026 12:00:10 GMT"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "Wed, 01 Jul"),
    *("Wed, 32 Jul 2026 12:00:10 GMT", "Wed, 01 Jul 2026 99:99:99 GMT", "1 Jan 99999 00:00:00 GMT"),
    *("Wed, 01 Jul 2026 12:00:10 +99999999", "Wed,,,, 01 Jul", ", ", "Wed\0", "a:b:c:d:e", "GMT"),
    *(
        "01 Jul 2026 12:00:10 " + "(" * 30,
        "Wed, 01 Jul 2026 12:00:10 -0000",
        "Jul 01 12:00:10 2026",
    ),
]

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [*INSTANTS, *WAITS, *NUMBERS, "\0", "\ud800", "\udfff\ud800", "\ufeff", "é" * 300]
    ),
    st.sampled_from(["true", "false", "a,b", " ", "\n", "DELIVERED", "x" * 3000, "=1+1", "{", "["]),
)

leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)


class Number(str):
    """A number, as it is written."""

    __slots__ = ()


numbers = st.sampled_from(NUMBERS).map(Number)

values: Any = st.recursive(
    st.one_of(leaves, numbers),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
    ),
    max_leaves=12,
)

records = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)

documents = st.one_of(
    values,
    st.fixed_dictionaries({"results": st.lists(st.one_of(records, values), max_size=4)}),
    st.fixed_dictionaries({"results": st.lists(records, max_size=3), "cursor": values}),
    st.fixed_dictionaries({"requestError": st.fixed_dictionaries({"serviceException": records})}),
    st.fixed_dictionaries({"errorCode": values, "description": values, "violations": values}),
    st.fixed_dictionaries({"access_token": values, "expires_in": values}),
)


def _written(value: Any, *, escaped: bool) -> str:
    """Return a document in JSON, each number as it is written."""
    match value:
        case Number():
            return str(value)
        case dict():
            fields = (
                f"{json.dumps(key)}:{_written(one, escaped=escaped)}" for key, one in value.items()
            )
            return "{" + ",".join(fields) + "}"
        case list():
            return "[" + ",".join(_written(one, escaped=escaped) for one in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=escaped)


in_json = st.builds(
    lambda document, encoding, escaped: _written(document, escaped=escaped).encode(
        encoding, "surrogatepass"
    ),
    documents,
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-le"]),
    st.booleans(),
)

names = st.sampled_from(
    ["LogsResponse", "results", "result", "ApiException", "requestError", "status", *FIELDS[:20]]
).filter(bool)

elements: Any = st.recursive(
    st.one_of(
        texts,
        st.sampled_from(
            ["&amp;", "&#0;", "&#xD800;", "&a;", "<![CDATA[x]]>", "<!-- -->", "<?pi?>", "]]>", "<"]
        ),
    ),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", names, st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)

PROLOGUES = [
    "",
    '<?xml version="1.0"?>',
    '<?xml version="1.0" encoding="UTF-16"?>',
    '<?xml version="1.0" encoding="latin-1"?>',
    '<?xml version="1.0" encoding="no-such"?>',
    '<?xml version="1.1" standalone="yes"?>',
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    '<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1/"> %a;]>',
]

in_xml = st.builds(
    lambda prologue, root, inner, encoding: f"{prologue}<{root}>{inner}</{root}>".encode(
        encoding, "surrogatepass"
    ),
    st.sampled_from(PROLOGUES),
    names,
    st.one_of(elements, elements.map(lambda one: f"<results><result>{one}</result></results>")),
    st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"]),
)

lines = st.lists(texts, max_size=6).flatmap(
    lambda parts: st.builds(
        lambda end, encoding: end.join(parts).encode(encoding, "surrogatepass"),
        st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\x0b", "\0"]),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7"]),
    )
)


@st.composite
def broken(draw: Any) -> bytes:
    """Return a document that something happened to on its way: cut, doubled, overwritten."""
    body = bytearray(draw(st.one_of(in_json, in_xml, lines)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from("cut insert double drop")):
            case "cut":
                del body[at:]
            case "insert":
                body[at:at] = draw(st.binary(max_size=8))
            case "double":
                body[at:at] = body[: draw(st.integers(0, 64))]
            case _:
                del body[at : at + draw(st.integers(0, 16))]
    return bytes(body)


@st.composite
def deep(draw: Any) -> bytes:
    """Return something that is nested about as deep as a parser, or this package, goes."""
    depth = draw(st.one_of(st.integers(20, 40), st.integers(100, 3000), st.integers(10, 100_000)))
    opening, closing = draw(
        st.sampled_from([("[", "]"), ('{"a":', "}"), ("<a>", "</a>"), ('[{"extra":', "}]")])
    )
    before, after = draw(
        st.sampled_from(
            [
                ("", ""),
                ('{"results":[{"x":', "}]}"),
                ('{"results":[{"sentAt":', "}]}"),
                ('{"results":[', "]}"),
                ('{"results":[],"cursor":', "}"),
                ('{"requestError":{"serviceException":{"text":', "}}}"),
                ('{"errorCode":"E","violations":', "}"),
                ("<LogsResponse><results><result>", "</result></results></LogsResponse>"),
            ]
        )
    )
    inner = draw(st.sampled_from(["1", '""', "null", "x"]))
    ends = closing * depth if draw(st.booleans()) else ""
    return f"{before}{opening * depth}{inner}{ends}{after}".encode()


bodies = st.one_of(
    in_json,
    in_xml,
    lines,
    broken(),
    deep(),
    st.binary(max_size=200),
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
)
