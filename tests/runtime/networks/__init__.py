"""Networks of containers, in a network namespace that each test makes."""
