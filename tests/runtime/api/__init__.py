"""Tests of the Engine API."""
