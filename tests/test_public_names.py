"""The package's own names: each from the room that type checkers see it in, when it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import infobip_email_logs

HOUSE = Path(infobip_email_logs.__file__)


def seen_by_type_checkers() -> dict[str, set[str]]:
    """Return the rooms that the package imports from, and the names that it takes out of each."""
    nodes = ast.walk(ast.parse(HOUSE.read_text(encoding="utf-8")))
    return {
        node.module or "": {alias.name for alias in node.names}
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.level
    }


def test_names_come_from_the_rooms_that_type_checkers_see() -> None:
    """The two tables of names are one, and hold all that is public."""
    rooms = {room: set(names) for room, names in infobip_email_logs._ROOMS.items()}
    seen = seen_by_type_checkers()
    assert {**rooms, "version": {"__version__"}} == seen
    assert sorted(name for names in seen.values() for name in names) == sorted(
        infobip_email_logs.__all__
    )


@pytest.mark.parametrize("name", infobip_email_logs.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """And it is listed, whether it was used or not."""
    assert getattr(infobip_email_logs, name) is not None
    assert name in dir(infobip_email_logs)


def test_a_name_that_is_not_there_is_said() -> None:
    """As of any other module."""
    with pytest.raises(AttributeError, match="has no attribute 'EmailLogClient'"):
        infobip_email_logs.EmailLogClient  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_imports_no_network() -> None:
    """It costs little until it is used; its first name that needs the network imports it."""
    program = (
        "import sys, infobip_email_logs\n"
        "assert not {'aiohttp', 'attrs', 'cattrs', 'msgspec', 'asyncio'} & sys.modules.keys()\n"
        "from infobip_email_logs import EmailLogsClient\n"
        "assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
