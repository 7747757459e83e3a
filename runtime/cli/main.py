"""The commands of `moor`."""

import click


@click.group()
def moor() -> None:
    """Pull and run images from a private registry, in Docker's own words."""
