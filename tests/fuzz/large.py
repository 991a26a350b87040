"""Answers that are large in each way that one can be, for the memory and time that they cost."""

from collections.abc import Callable

MIB = 1 << 20


def _filled(before: bytes, piece: bytes, after: bytes) -> Callable[[int], bytes]:
    """Return what makes a body of about so many bytes of pieces between two ends."""
    return lambda size: before + piece * (size // len(piece)) + after


LARGE: dict[str, Callable[[int], bytes]] = {
    "empty records": _filled(b'{"results":[', b"{},", b"{}]}"),
    "empty records in XML": _filled(
        b"<LogsResponse><results>", b"<result/>", b"</results></LogsResponse>"
    ),
    "records that are none": _filled(b'{"results":[', b"1,", b"1]}"),
    "records with unknown fields": _filled(b'{"results":[', b'{"x":[1]},', b"{}]}"),
    "records of a number": _filled(b'{"results":[', b'{"messageCount":1e9},', b"{}]}"),
    "a text": _filled(b'{"results":[{"text":"', b"x", b'"}]}'),
    "a text of escapes": _filled(b'{"results":[{"text":"', rb"\ud800", b'"}]}'),
    "a timestamp": _filled(b'{"results":[{"sentAt":"', b"2", b'"}]}'),
    "a price": _filled(b'{"results":[{"price":{"pricePerMessage":"', b"2", b'"}}]}'),
    "a number": _filled(b'{"results":[{"messageCount":', b"2", b"}]}"),
    "a fraction": _filled(b'{"results":[{"x":0.', b"2", b"}]}"),
    "a name": _filled(b'{"results":[{"', b"x", b'":1}]}'),
    "a cursor": _filled(b'{"results":[],"cursor":{"nextCursor":"', b"x", b'"}}'),
    "a list": _filled(b"[", b"1,", b"1]"),
    "lists in lists": _filled(b"", b"[", b""),
    "lists beside lists": _filled(b"[", b"[],", b"[]]"),
    "no document": _filled(b"", b"x", b""),
    "white space": _filled(b"", b" ", b""),
    "no text": _filled(b"", b"\xff", b""),
    "an attribute": _filled(b'<LogsResponse x="', b"x", b'"/>'),
    "an attribute that never ends": _filled(b'<LogsResponse x="', b"x", b""),
    "a name in XML": _filled(b"<", b"x", b""),
    "a comment": _filled(b"<!--", b"x", b""),
    "comments": _filled(b"<a>", b"<!---->", b"</a>"),
    "a text in XML": _filled(b"<LogsResponse><results><result><text>", b"x", b"</text></result>"),
    "references": _filled(b"<LogsResponse><results><result><text>", b"&#120;", b"</text>"),
    "elements in elements": _filled(b"", b"<a>", b""),
    "an error": _filled(b'{"errorCode":"E","description":"', b"x", b'"}'),
    "violations": _filled(b'{"errorCode":"E","violations":[', b'{"property":"x"},', b"{}]}"),
    "a violation": _filled(b'{"errorCode":"E","violations":{"property":"', b"x", b'"}}'),
    "ids": _filled(b"", b"a\n", b""),
    "blank lines": _filled(b"", b"\r\n", b"a"),
    "an id": _filled(b"", b"a", b""),
    "an id with commas": _filled(b"", b"a,", b""),
    "a token": _filled(b'{"access_token":"', b"x", b'"}'),
    "seconds of a token": _filled(b'{"access_token":"x","expires_in":', b"9", b"}"),
    "commas": _filled(b"", b",", b""),
    "parentheses": _filled(b"", b"(", b""),
    "digits": _filled(b"", b"9", b""),
}
