"""The use cases, without HTTP: time is an argument here."""
