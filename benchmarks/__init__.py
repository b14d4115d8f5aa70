"""Measurements against peers and floors.  `make bench` runs them all; results are kept in RESULTS.md."""

from explorer.process import prepare

# Here, because it must come before torch is imported, and this file runs before every benchmark.
prepare()
