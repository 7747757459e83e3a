"""The networks, in namespaces of the tests' own."""
