"""Tests of `runtime.daemon`."""
