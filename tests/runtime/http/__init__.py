"""Tests of `runtime.http`."""
