"""The distribution-spec's own conformance tool, run whole against live servers.

`make conformance` runs it on both engines; `python -m tests.conformance URL` against any registry.
"""
