"""Containers: their specification, their lives under conmon, and the streams that lead into them."""
