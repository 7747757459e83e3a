"""Runs the official conformance tool against a URL and reads its report.

It knows the tool's environment (conformance/config.go) and its junit.xml, and nothing of how the server was started.
OCI_VERSION=dev asks for what the specification has at HEAD: digest headers, upload cancel, the tag parameter.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

AT_HEAD = {
    "OCI_VERSION": "dev",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The totals of one run, and what every test that did not pass has to say."""

    tests: int
    failures: int
    errors: int
    skipped: int
    disabled: int
    troubles: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether every test ran and passed."""
        return not (self.failures or self.errors or self.skipped or self.disabled)

    def __str__(self) -> str:
        totals = (
            f"{self.tests} tests, {self.failures} failures, {self.errors} errors, "
            f"{self.skipped} skipped, {self.disabled} disabled"
        )
        return "\n".join((totals, *self.troubles))


def run_tool(
    tool: str,
    url: str,
    results: Path,
    *,
    sparse: bool = False,
    insecure: bool = False,
    login: tuple[str, str] | None = None,
) -> Report:
    """Run the whole tool against the registry at `url`; its files (report.html among them) go to `results`.

    Args:   sparse: also push manifests whose children are absent; the server must be told to take them.
            insecure: accept any certificate.
            login: the name and the secret of somebody who may push to and delete from `conformance/…`.
    Raises: RuntimeError if the tool ended without a report.
    """
    place = urlsplit(url)
    tls = "disabled" if place.scheme == "http" else "insecure" if insecure else "enabled"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OCI_")},
        **AT_HEAD,
        "OCI_REGISTRY": place.netloc,
        "OCI_TLS": tls,
        "OCI_DATA_SPARSE": str(sparse).lower(),
        "OCI_RESULTS_DIR": str(results),
        **({"OCI_USERNAME": login[0], "OCI_PASSWORD": login[1]} if login else {}),
    }
    junit = results / "junit.xml"
    junit.unlink(missing_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [tool], env=environment, cwd=results, capture_output=True, text=True, timeout=600, check=False
    )
    if not junit.exists():
        raise RuntimeError(
            f"the conformance tool wrote no report (exit {ended.returncode}):\n{ended.stdout}{ended.stderr}"
        )
    return read_report(junit)


def read_report(junit: Path) -> Report:
    """The tool's own totals, which count groups of checks as well as the checks that it lists as test cases."""
    suite = ElementTree.parse(junit).find("testsuite")  # noqa: S314  a file that our own child process wrote
    if suite is None:
        raise RuntimeError(f"{junit} holds no test suite")
    totals = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped", "disabled")}
    unhappy = [case for case in suite.iter("testcase") if case.get("status") != "passed"]
    troubles = tuple(f"{case.get('name')}: {case.findtext('system-out', '').strip()}" for case in unhappy)
    return Report(**totals, troubles=troubles)
