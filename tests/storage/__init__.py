"""Tests of the storage room: promises of drivers and store, properties, failures made on purpose."""
