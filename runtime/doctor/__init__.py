"""What the engine needs of this machine and does not find, a line each, with the line that installs it.

`moor doctor` prints the findings and `docker info` warns of the bad ones. Knows no service of the engine.
"""

from runtime.doctor.examination import Finding, findings, warnings

__all__ = ["Finding", "findings", "warnings"]
