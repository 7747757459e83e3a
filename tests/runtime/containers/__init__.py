"""Tests of containers: their streams, files and processes."""
