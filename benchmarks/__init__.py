"""Moorage beside other registries in one run: the same disk, the same client, alternating rounds.

`python -m benchmarks` prints a table of ratios and writes JSON; docs/benchmarks.md says what is measured and how
it is kept fair. It drives servers by their command lines and by HTTP alone; only `seed` knows Moorage's catalog.
"""
