"""The command line: its pure parts alone, and the whole of it against daemons that the tests bring."""
