"""Limits: 429s, time and shares beside other limiters, on models of what a service may count.

    pip install aiolimiter pyrate-limiter throttled-py limits   # the peers, or: --group peers
    python benchmarks/limits.py                                 # all rows
    python benchmarks/limits.py 'exact-*' 'pair-*' idle         # these
    python benchmarks/limits.py --list

The clock is virtual where nothing but waiting is measured. The service is a model that knows
nothing of the package (``limits_server.py``): requests take 20 to 120 ms each way, 50 are under
way at a time. A row is ok when its figure is at most its limit.
"""

import sys

import limits_cost
import limits_learning
import limits_peers
import limits_variants
from table import main

ROWS = (
    *limits_variants.rows(),
    *limits_learning.rows(),
    *limits_cost.rows(),
    *limits_peers.rows(),
)

if __name__ == "__main__":
    sys.exit(main("Measure limiters.", ROWS))
