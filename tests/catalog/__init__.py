"""The catalog on a real SQLite file: schema, transactions, history, and what other processes do meanwhile."""
