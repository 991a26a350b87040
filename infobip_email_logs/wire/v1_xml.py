"""The answers of version 1 in XML, the older reference's second form.

The parser takes no document type declaration, and so knows no entities but the five of XML, and
reads nothing from outside the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from ..errors import DecodeError, clip
from ..json_values import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Generator

    from .exchange import Reply

CHUNK = 1 << 16
"""The bytes that are parsed before the event loop gets its turn."""

LONGEST = 16 * CHUNK
"""The bytes of a tag or a comment, at most: the parser begins them anew with each chunk."""

DEEPEST = 32
"""The elements inside one another, at most; a record has five."""


TROUBLE = (expat.ExpatError, ValueError, LookupError)
"""What is raised for what is no XML; a LookupError for an encoding that nobody knows."""


def is_xml(reply: Reply) -> bool:
    """Say whether an answer is XML, by its type, or by its beginning where it has none."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind.endswith(("/xml", "+xml")) or (not kind and reply.body.lstrip()[:5] == b"<?xml")


def results(body: bytes, page: int) -> Generator[None, None, list[Any]]:
    """Return the records of a page, as objects of texts.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.

    Raises:
        DecodeError: The answer is no page.
    """
    tree = _Tree()
    try:
        for start in range(0, len(body), CHUNK):
            tree.feed(body[start : start + CHUNK])
            yield
        root, document = tree.end()
    except TROUBLE as error:
        shown = clip(body[:2000].decode("utf-8", "replace"))
        raise DecodeError(
            f"page {page}: the answer is no XML ({clip(str(error))}): {shown!r}",
            page=page,
            value=shown,
        ) from error
    return _results(root, document, page)


def _results(root: str, document: Any, page: int) -> list[Any]:
    found = document.get("results", document) if is_object(document) else document
    if root == "LogsResponse" and is_object(document) and "results" in document:
        if found is None or (isinstance(found, str) and not found.strip()):
            return []
        if is_object(found) and found.keys() == {"result"}:
            records = found["result"]
            listed = records if is_array(records) else [records]
            return [{} if record is None else record for record in listed]
    shown = clip(f"<{root}> {found}")
    raise DecodeError(
        f"page {page}: $ holds no list of results, but {shown}", page=page, value=shown
    )


def document(body: bytes) -> Any:
    """Return a small document, without its root.

    Raises:
        ValueError: It is no XML that is taken here.
    """
    tree = _Tree()
    try:
        tree.feed(body)
        return tree.end()[1]
    except TROUBLE as error:
        raise ValueError(str(error)) from error


class _Tree:
    """Builds objects of texts: an element with elements in it is an object, else it is its text.

    Elements of one name beside each other become a list. An empty element is None: XML has no
    other way to say so, and can't tell it from an empty text.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._root: tuple[str, Any] = ("", None)
        self._fed = 0

    def feed(self, chunk: bytes) -> None:
        """Parse a further piece."""
        self._parser.Parse(chunk, False)
        self._fed += len(chunk)
        if self._fed - max(0, self._parser.CurrentByteIndex) > LONGEST:
            raise ValueError("a tag or a comment without an end")

    def end(self) -> tuple[str, Any]:
        """Return the root's name and what it holds."""
        self._parser.Parse(b"", True)
        return self._root  # without an element, the parser has refused the end

    def _refuse(self, *_declaration: object) -> None:
        raise ValueError("a document type declaration is not taken")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise ValueError("elements too deep inside one another")
        self._open.append((name, {}, []))

    def _text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def _end(self, _name: str) -> None:
        name, children, texts = self._open.pop()
        value = children or "".join(texts) or None
        if not self._open:
            self._root = (name, value)
            return
        siblings = self._open[-1][1]
        if name not in siblings:
            siblings[name] = value
        elif is_array(siblings[name]):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]
