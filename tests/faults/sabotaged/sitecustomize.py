"""Python imports this file at start when its directory is on PYTHONPATH: it breaks a server from outside.

The server's own code has no hooks for it. target.Server sets the path and FAULTS_SABOTAGE; see sabotage.py.
"""

import os
import sys
from pathlib import Path

if os.environ.get("FAULTS_SABOTAGE"):
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    from tests.faults.sabotage import install

    install(os.environ["FAULTS_SABOTAGE"])
