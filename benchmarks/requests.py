"""How many requests each kind of call makes, counted by the service, and whether all of it came.

    python benchmarks/requests.py                        # all rows
    python benchmarks/requests.py lookups 'sweep-v1-*'   # these
    python benchmarks/requests.py --list

A row is ok when its figure is at most its limit and what was delivered is exactly the truth.
"""

import argparse
import sys
import time
from fnmatch import fnmatchcase

import requests_ids
import requests_memory
import requests_mixtures
import requests_sweep
from measuring import Result, Row

ROWS = (
    *requests_sweep.rows(),
    *requests_ids.rows(),
    *requests_mixtures.rows(),
    *requests_memory.rows(),
)
HEAD = f"{'case':<28} {'measured':>9} {'limit':>7} {'ok':<4} {'s':>6}  "


def main() -> int:
    """Print the table; return 1 when a row fails."""
    parser = argparse.ArgumentParser(description="Count the requests that calls make.")
    parser.add_argument("names", nargs="*", default=["*"], help="rows, with * for any text")
    parser.add_argument("--list", action="store_true", help="name the rows, and run none")
    given = parser.parse_args()
    chosen = [row for row in ROWS if any(fnmatchcase(row.name, name) for name in given.names)]
    if given.list or not chosen:
        print("\n".join(row.name for row in ROWS))
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
    ok = "ok" if result.ok else "FAIL"
    told = "; ".join(filter(None, [result.wrong, result.note]))
    return f"{result.name:<28} {result.measured:>9.4g} {limit:>7} {ok:<4} {seconds:>6.1f}  {told}"


if __name__ == "__main__":
    sys.exit(main())
