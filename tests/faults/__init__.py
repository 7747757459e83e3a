"""Fault checks: kills, power cuts, full disks, broken clients, each judged by an oracle that stands outside the server.

Every check is a command (`python -m tests.faults.kills --count 200`) that prints one JSON line, and has a short form
in pytest (marker `faults`). docs/reliability.md lists them with the sabotage that turns each one red.
"""
