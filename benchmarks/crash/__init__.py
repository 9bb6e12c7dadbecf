"""Kill -9 at every moment, faults on every wire, and a comparison of what the ledger says with what was seen.

`python -m benchmarks.crash --seeds 200` plays that many seeds against real `penstock up` processes and writes the
table into `docs/reliability.md`.
"""
