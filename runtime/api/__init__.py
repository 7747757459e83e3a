"""The Docker Engine API: a table of endpoints and thin handlers; async ends here."""
