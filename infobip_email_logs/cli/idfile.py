"""Ids out of a file, one a line, as spreadsheets and other systems leave them. Pure."""

from __future__ import annotations

import codecs

from ..errors import InvalidInput
from ..query import check_id


def ids_in(content: bytes, name: str) -> list[str]:
    """Return the ids in ``content``: UTF-8 with or without a byte order mark, any line ends.

    White space around an id is cut off, blank lines are passed over.

    Args:
        content: The bytes of the file.
        name: What the file is called, in an error.

    Raises:
        InvalidInput: It holds no id, a line that can't be one, or is not UTF-8.
    """
    lines = _text(content, name).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ids = [_id(line.strip(), number, name) for number, line in enumerate(lines, 1) if line.strip()]
    if not ids:
        raise InvalidInput(
            f"{name} holds no ids: nothing is pulled (leave the option out to pull all logs)"
        )
    return ids


def _text(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise InvalidInput(f"{name} is not UTF-8 (UTF-16, as it seems); save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{name}, line {line}: this is not UTF-8; save it as UTF-8") from None


def _id(text: str, line: int, name: str) -> str:
    try:
        return check_id(text, "an id")
    except InvalidInput as error:
        raise InvalidInput(f"{name}, line {line}: {error}") from None
