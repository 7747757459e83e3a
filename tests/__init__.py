"""Moorage's tests: one directory a package, and spec/, e2e/, conformance/ and faults/ for the product as a whole."""
