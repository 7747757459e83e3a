"""`moor search`. Source: docker/cli cli/command/registry/search.go; GET /images/search."""

import click

from runtime.cli.commands.transfer import auth
from runtime.cli.filters import filter_option, filters_of, format_option
from runtime.cli.options import command, flag
from runtime.cli.references import cut
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.words import cut as shortened

HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}


@command("[OPTIONS] TERM", least=1, most=1)
@filter_option
@format_option
@click.option("--limit", type=int, default=None, help="Max number of search results")
@flag("--no-trunc", help="Don't truncate output")
def search(
    session: Session,
    words: tuple[str, ...],
    filters: tuple[str, ...],
    form: str | None,
    limit: int | None,
    no_trunc: bool,
) -> None:
    """Search the registry for images."""
    query = {"term": words[0], "limit": limit, "filters": filters_of(filters)}
    found = session.client.ask("GET", "/images/search", query, headers=auth(session, cut(words[0]))).json() or ()
    rows = []
    for one in sorted(found, key=lambda one: -one["star_count"]):
        about = " ".join((one.get("description") or "").split())
        rows.append(
            {
                "Name": one["name"],
                "Description": about if no_trunc else shortened(about, 45),
                "StarCount": str(one["star_count"]),
                "IsOfficial": "[OK]" if one.get("is_official") else "",
                "IsAutomated": "[OK]" if one.get("is_automated") else "",
            }
        )
    Listing(("Name", "Description", "StarCount", "IsOfficial"), HEADERS, identifier="Name").show(rows, form)
