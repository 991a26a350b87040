"""The rooms of the package: which may import which, and which may touch the world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import infobip_email_logs

PACKAGE = "infobip_email_logs"
HOUSE = Path(infobip_email_logs.__file__).parent
EVERYTHING = "everything"

ROOMS: dict[str, str] = {
    "json_values": "",
    "version": "",
    "errors": "",
    "models": "errors json_values",
    "query": "errors",
    "secret": "",
    "auth": "errors secret",
    "wire": "errors json_values models moments query",
    "bucket": "errors",
    "batches": "errors wire",
    "matching": "moments wire",
    "lists": "batches models query",
    "moments": "",
    "page_facts": "query",
    "overlap": "json_values models moments wire",
    "density": "",
    "stretches": "models moments overlap page_facts",
    "piles": "models overlap page_facts plans stretches",
    "forward": "density moments page_facts piles stretches",
    "scans": "forward moments overlap page_facts piles stretches",
    "chains": "errors overlap page_facts piles query scans stretches",
    "sweep": "chains forward models moments overlap page_facts piles query scans stretches wire",
    "plans": "models overlap query",
    "by_ids": "batches lists models moments overlap page_facts piles plans query sweep",
    "strategies": "by_ids models overlap sweep",
    "report": "errors models",
    "retry": "errors",
    "retry_budget": "errors",
    "spending": "errors retry retry_budget",
    "one_loop": "errors",
    "gate": "",
    "lesson": "",
    "caution": "bucket lesson",
    "slow_start": "",
    "budget": "bucket caution errors gate slow_start",
    "line": "",
    "closing": "",
    "patience": "errors",
    "limiter": "bucket budget errors line one_loop patience",
    "messages": "bucket errors",
    "quiet": "gate messages",
    "turns": "line",
    "ledger": "bucket lesson messages quiet turns",
    "shared_limiter": "bucket closing errors limiter line messages one_loop patience quiet",
    "host_limiter": "bucket errors ledger lesson messages patience quiet shared_limiter turns",
    "redis_limiter": "bucket errors messages patience shared_limiter",
    "accounts": "auth network",
    "proxies": "auth errors secret",
    "network": "errors proxies",
    "tokens": "auth errors wire",
    "body": "errors",
    "departure": "errors",
    "transport": "auth body departure errors network proxies secret tokens version wire",
    "asking": "errors limiter line matching models moments query report retry retry_budget"
    " spending transport wire",
    "feeding": "",
    "pull": "errors matching models one_loop plans query report",
    "lookups": "batches errors lists models overlap pull query",
    "client": "asking auth batches bucket by_ids closing errors feeding limiter line lists lookups"
    " models network one_loop page_facts plans pull query report retry shared_limiter strategies"
    " sweep transport wire",
    "settings": "auth errors",
    "sandbox": "",
    "cli": EVERYTHING,
    "__init__": "accounts auth bucket client errors host_limiter limiter line lookups models"
    " network pull query report retry settings version",
    "__main__": "cli",
}
"""Room → the rooms that it may import. A room is a module, or a folder with all of its files."""

PURE = (
    "accounts auth batches body bucket budget by_ids caution chains density errors forward gate"
    " json_values ledger lesson line lists matching messages models moments network overlap"
    " page_facts patience piles plans proxies query quiet report retry_budget scans secret"
    " slow_start spending strategies stretches sweep turns wire"
)
"""These wait for nothing and know no clock: they import none of `WORLD`."""

WORLD = {"aiohttp", "asyncio", "threading", "time"}

SPEAKS_HTTP = {"departure", "transport", "sandbox"}
"""Only these import aiohttp."""


def files() -> Iterator[tuple[str, Path]]:
    """Yield each file of the package with the room that it belongs to."""
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        yield parts[0], path


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module or name that a file imports when it is run."""
    for node in at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = [*package_of(path, node.level), *(node.module or "").split(".")]
            yield from (".".join(filter(None, [*origin, alias.name])) for alias in node.names)


def package_of(path: Path, level: int) -> tuple[str, ...]:
    """Return the package that a relative import of so many dots starts from."""
    parts = (PACKAGE, *path.relative_to(HOUSE).parts)
    return parts[: len(parts) - level] if level else ()


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree but for what only type checkers see."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children: Iterator[ast.AST] = iter(node.orelse)
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from at_run_time(child)


def reached(path: Path) -> Iterator[str]:
    """Yield the rooms that a file imports from; the package itself is `__init__`."""
    rooms = {room for room, _ in files()}
    for name in imported(path):
        first, *rest = name.split(".")
        if first == PACKAGE:
            yield rest[0] if rest and rest[0] in rooms else "__init__"


def outsiders(path: Path) -> set[str]:
    """Return the top-level modules that a file imports from elsewhere."""
    return {name.partition(".")[0] for name in imported(path)} - {PACKAGE}


def test_every_room_is_known() -> None:
    """A room that nobody put into the table is not let in."""
    unknown = {room for room, _ in files()} - set(ROOMS)
    assert not unknown, f"add a row to ROOMS for {sorted(unknown)}: which rooms may it import?"


def test_the_table_names_rooms_only() -> None:
    """A room that may be imported has a row of its own."""
    named = set(" ".join([*ROOMS.values(), PURE]).split()) - {EVERYTHING}
    assert named <= set(ROOMS), f"not in ROOMS: {sorted(named - set(ROOMS))}"


def test_nothing_points_upward() -> None:
    """The rooms can be put in an order in which each imports only earlier ones."""
    left = {room: set(may.split()) for room, may in ROOMS.items() if may != EVERYTHING}
    left.pop("__main__", None)
    while ready := {room for room, may in left.items() if not may & left.keys()}:
        left = {room: may for room, may in left.items() if room not in ready}
    assert not left, f"these import each other in a circle: {sorted(left)}"


def test_rooms_import_what_the_table_allows() -> None:
    """Each room imports only the rooms in its row, and itself."""
    wrong = {
        f"{path.relative_to(HOUSE)} imports {other}"
        for room, path in files()
        for other in reached(path)
        if ROOMS.get(room) != EVERYTHING and other not in {room, *ROOMS.get(room, "").split()}
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_pure_rooms_leave_the_world_alone() -> None:
    """The rooms that decide import neither a loop nor a clock nor a connection."""
    wrong = {
        f"{path.relative_to(HOUSE)} imports {module}"
        for room, path in files()
        for module in outsiders(path) & WORLD
        if room in PURE.split()
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_one_room_speaks_http() -> None:
    """Only the transport with its last look, and the sandbox on the other side, import aiohttp."""
    speakers = {room for room, path in files() if "aiohttp" in outsiders(path)}
    assert speakers <= SPEAKS_HTTP
