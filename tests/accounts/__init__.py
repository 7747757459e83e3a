"""The use cases of accounts: on a real database, with passwords that cost next to nothing."""
