"""A table of rows that can be chosen by their names."""

import argparse
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase

from measuring import Result, Row

HEAD = f"{'case':<44} {'measured':>9} {'limit':>7} {'ok':<4} {'s':>6}  "


def main(what: str, rows: Sequence[Row]) -> int:
    """Print the rows that the command line names; return 1 when one fails."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("names", nargs="*", default=["*"], help="rows, with * for any text")
    parser.add_argument("--list", action="store_true", help="name the rows, and run none")
    given = parser.parse_args()
    chosen = [row for row in rows if any(fnmatchcase(row.name, name) for name in given.names)]
    if given.list or not chosen:
        print("\n".join(row.name for row in rows))
        return 0 if given.list else 2
    print(HEAD)
    oks = [_shown(row) for row in chosen]
    return 0 if all(oks) else 1


def _shown(row: Row) -> bool:
    """Run a row, print its lines, and return whether all of them are ok."""
    begin = time.perf_counter()
    results = row.run()
    seconds = time.perf_counter() - begin
    for result in results:
        print(_line(result, seconds), flush=True)
    return all(result.ok for result in results)


def _line(result: Result, seconds: float) -> str:
    limit = "" if result.limit is None else f"{result.limit:.4g}"
    ok = ("ok" if result.limit is not None else "") if result.ok else "FAIL"
    told = "; ".join(filter(None, [result.wrong, result.note]))
    return f"{result.name:<44} {result.measured:>9.4g} {limit:>7} {ok:<4} {seconds:>6.1f}  {told}"
