"""Moving a catalog from SQLite to PostgreSQL while it is served (ADR 17).

Nothing is copied blindly: both sides are walked in the order of their keys and compared, and what differs is replaced.
So a move that was killed goes on by walking again, and a walk that finds nothing is the proof that all is there.
"""
