"""`--filter` and `--format` as listing commands share them. Source: docker/cli opts/filter.go."""

import json
from collections.abc import Iterable

import click

from runtime.cli.options import Failure

filter_option = click.option(
    "-f", "--filter", "filters", metavar="NAME=VALUE", multiple=True, help="Filter output based on conditions provided"
)
prune_filter_option = click.option(
    "--filter", "filters", metavar="NAME=VALUE", multiple=True, help="Provide filter values"
)
format_option = click.option(
    "--format", "form", metavar="TEMPLATE", help="'table', 'table TEMPLATE', 'json' or a Go template"
)


def filters_of(given: Iterable[str]) -> str | None:
    """The API's `filters` of NAME=VALUE texts; None where there are none. Raises: Failure."""
    found: dict[str, dict[str, bool]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure(f'invalid argument "{text}" for "-f, --filter" flag: invalid filter \'{text}\'', 125)
        found.setdefault(name.strip().lower(), {})[value.strip()] = True
    return json.dumps(found) if found else None
