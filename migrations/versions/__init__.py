"""One file a step; only ever added to, and old and new servers must be able to run side by side on each."""
