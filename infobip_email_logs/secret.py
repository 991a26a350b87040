"""Text that is sent as it is and shown as nothing; and how it is taken out of what others say."""

from __future__ import annotations

from typing import AnyStr

SHORTEST = 8
"""The characters of the shortest secret that is looked for: a shorter one may be any word."""


class Secret(str):
    """A credential: its ``repr`` is ``'***'``, alone and within whatever it is put into.

    Whoever shows the variables of a frame, a dict or headers shows them by their ``repr``. As text
    it is what it is: ``str()``, formatting, comparing and encoding give it away.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return three stars."""
        return "'***'"


def blanked(said: AnyStr, secret: str) -> AnyStr:
    """Return what others said, with a star for each character of a secret that they repeat.

    It is found where it is repeated to the letter, and has :data:`SHORTEST` characters or more.
    """
    if len(secret) < SHORTEST:
        return said
    if isinstance(said, str):
        return said.replace(secret, "*" * len(secret))
    hidden = secret.encode(errors="replace")
    return said.replace(hidden, b"*" * len(hidden))
