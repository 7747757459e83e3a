"""Real clients against a live server.

A client that is not installed skips its tests with the line that installs it; with MOORAGE_TEST_ALL=1 it fails them.
"""
