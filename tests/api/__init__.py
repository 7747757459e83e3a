"""The HTTP face beneath the specification: parsers against models, streams, probes, composition."""
