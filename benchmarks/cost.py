"""What the client costs: the processor, the event loop's time and memory, each beside its peers.

    pip install orjson infobip-api-python-client==6.0.0   # the peers, or: --group peers
    python benchmarks/cost.py                             # all rows
    python benchmarks/cost.py 'decode-*' import           # these
    python benchmarks/cost.py --list

Each figure is a ratio within one run, or a difference; services are in processes of their own. A
row is ok when its figure is at most its limit.
"""

import sys

import cost_decoding
import cost_import
import cost_loop
import cost_pull
import requests_memory
from table import main

ROWS = (
    *cost_decoding.rows(),
    *cost_loop.rows(),
    *cost_pull.rows(),
    *cost_import.rows(),
    *requests_memory.rows(),
)

if __name__ == "__main__":
    sys.exit(main("Measure what the client costs.", ROWS))
