"""The catalog's schema, step by step; travels in the wheel and is found by its package name.

`versions/NNNN_what_changed.py` are applied in order by `registry.catalog.schema`.
"""
