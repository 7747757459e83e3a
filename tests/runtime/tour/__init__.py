"""The scripted tour: every everyday command, by `moor` and by the stock docker command, on one engine."""
