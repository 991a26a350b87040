"""How many requests each kind of call makes, counted by the service, and whether all of it came.

    python benchmarks/requests.py                        # all rows
    python benchmarks/requests.py lookups 'sweep-v1-*'   # these
    python benchmarks/requests.py --list

A row is ok when its figure is at most its limit and what was delivered is exactly the truth.
"""

import sys

import requests_ids
import requests_memory
import requests_mixtures
import requests_sweep
from table import main

ROWS = (
    *requests_sweep.rows(),
    *requests_ids.rows(),
    *requests_mixtures.rows(),
    *requests_memory.rows(),
)

if __name__ == "__main__":
    sys.exit(main("Count the requests that calls make.", ROWS))
