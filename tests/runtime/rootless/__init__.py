"""The engine of an ordinary user."""
