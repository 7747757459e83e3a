"""Looks at a registry over plain HTTP, as the judge of what the real clients say they did.

It knows the distribution-spec's paths and no client.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, its body read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class RegistryView:
    """The registry on one host and port."""

    host: str

    def ask(self, method: str, path: str) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, headers={"Accept": ACCEPT})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        finally:
            connection.close()

    def digest(self, repository: str, reference: str) -> str | None:
        """What the registry says a tag or digest is; None when it has no such manifest."""
        answer = self.ask("HEAD", f"/v2/{repository}/manifests/{reference}")
        return answer.headers["docker-content-digest"] if answer.status == 200 else None

    def manifest(self, repository: str, reference: str) -> Any:
        """A manifest, parsed."""
        return self.ask("GET", f"/v2/{repository}/manifests/{reference}").json()

    def tags(self, repository: str) -> list[str]:
        """The repository's tags; none when there is no such repository."""
        answer = self.ask("GET", f"/v2/{repository}/tags/list")
        return list(answer.json()["tags"]) if answer.status == 200 else []

    def delete(self, repository: str, reference: str) -> int:
        """Delete a tag or a manifest; the answer's status."""
        return self.ask("DELETE", f"/v2/{repository}/manifests/{reference}").status
