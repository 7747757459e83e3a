"""Reads deploy/compose*.yaml as Docker Compose does: by its own loader, which refuses keys that it does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.commands import run
from tests.parts.tools import ROOT, require

DEPLOY = ROOT / "deploy"
IMAGE = "moorage"
SECRETS = "/run/secrets"


@dataclass(frozen=True, slots=True)
class Service:
    """One service, with what it got from anchors, extensions and variables."""

    name: str
    given: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its container, without those of its image."""
        return dict(self.given.get("environment", {}))

    @property
    def image(self) -> str:
        """The name of its image, without the tag."""
        return str(self.given["image"]).partition(":")[0]

    def words(self) -> list[str]:
        """What its container runs, if the image does not say it alone."""
        return [*self.given.get("entrypoint", []), *self.given.get("command", [])]

    def relocated(self, places: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Its command and variables with other addresses and paths: what is replaced -> by what."""
        return [_replaced(word, places) for word in self.words()], {
            name: _replaced(value, places) for name, value in self.environment.items()
        }


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole file."""

    given: Mapping[str, Any]

    def service(self, name: str) -> Service:
        """The service of that name. Raises KeyError."""
        return Service(name, self.given["services"][name])

    def services(self) -> list[Service]:
        """Every service."""
        return [self.service(name) for name in self.given["services"]]

    def replicas(self) -> list[Service]:
        """Those that run Moorage."""
        return [service for service in self.services() if service.image == IMAGE]


def read_compose(name: str) -> Composed:
    """Load deploy/NAME; raises CommandFailed with what the loader says of a mistake."""
    return Composed(json.loads(run(require("compose-go"), "-format", "json", name, cwd=DEPLOY)))


def make_secrets(directory: Path) -> Path:
    """Run the script that makes the secrets, as the file's first lines say."""
    run(DEPLOY / "make-secrets.sh", directory)
    return directory


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for old, new in places.items():
        text = text.replace(old, new)
    return text
