"""The names that a shell completes: of containers, images, networks and volumes, as the daemon has them now.

A daemon that does not answer completes nothing: pressing a key is no reason to start one, or to complain.
"""

import click

from runtime.cli.answers import Broken
from runtime.cli.client import Client, Refused, Unreachable
from runtime.cli.options import Failure
from runtime.cli.session import Session


def names(kind: str, ctx: click.Context) -> list[str]:
    """Names of one kind: container, image, network or volume; none for another."""
    session = ctx.find_object(Session) or Session()
    try:
        client = Client(session.socket)
        if kind == "container":
            found = client.json("/containers/json", {"all": 1})
            return [name.removeprefix("/") for one in found for name in one.get("Names") or ()]
        if kind == "image":
            return [tag for one in client.json("/images/json") for tag in one.get("RepoTags") or ()]
        if kind == "network":
            return [one["Name"] for one in client.json("/networks")]
        if kind == "volume":
            return [one["Name"] for one in client.json("/volumes").get("Volumes") or ()]
    except (Refused, Unreachable, Broken, Failure):
        return []
    return []
