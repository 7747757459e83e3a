"""`python -m tests.conformance URL`: the official tool against any registry; exits 0 only when every test passed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.conformance.tool import run_tool
from tests.parts.tools import find, named


def main() -> int:
    """Run, print the totals and every trouble."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("url", help="http://127.0.0.1:5000")
    parser.add_argument("--results", type=Path, default=Path("build/conformance"), help="where the tool's reports go")
    parser.add_argument("--sparse", action="store_true", help="push manifests whose children are absent, too")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    chosen = parser.parse_args()
    tool = find(named("conformance"))
    if tool is None:
        parser.error("the tool is not here; install it: python3 -m tests.parts.tools install conformance")
    report = run_tool(tool, chosen.url, chosen.results.resolve(), sparse=chosen.sparse, insecure=chosen.insecure)
    print(report)
    print(f"the whole report: {chosen.results / 'report.html'}")
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
