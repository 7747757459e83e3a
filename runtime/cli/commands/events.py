"""`moor events`. Source: docker/cli cli/command/system/events.go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from runtime.cli.filters import filter_option, filters_of
from runtime.cli.moments import moment
from runtime.cli.options import command
from runtime.cli.session import Session
from runtime.cli.tables import rendered

_SECOND = 10**9


@command(most=0)
@filter_option
@click.option("--format", "form", metavar="TEMPLATE", default="", help="'json' or a Go template")
@click.option("--since", default="", help="Show all events created since timestamp")
@click.option("--until", default="", help="Stream events until this timestamp")
def events(session: Session, filters: tuple[str, ...], form: str, since: str, until: str) -> None:
    """Get real time events from the engine."""
    query = {"since": moment(since) or None, "until": moment(until) or None, "filters": filters_of(filters)}
    template = "{{json .}}" if form == "json" else form
    for event in session.client.ask("GET", "/events", query).documents():
        click.echo(rendered(template, event) if template else event_line(event))


def event_line(event: Mapping[str, Any]) -> str:
    """An event on one line: when, what kind, what happened, to whom, and its attributes."""
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    extra = ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes))
    seconds, rest = divmod(event.get("timeNano") or event.get("time", 0) * _SECOND, _SECOND)
    zone = f"{datetime.fromtimestamp(seconds).astimezone():%z}"
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    when = f"{datetime.fromtimestamp(seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}{zone}"  # noqa: DTZ006  # the local zone is meant
    what = f"{when} {event.get('Type')} {event.get('Action')} {actor.get('ID')}"
    return f"{what} ({extra})" if extra else what
