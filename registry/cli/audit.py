"""`moorage audit`: who did what, from where."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json
from registry.cli.opening import administering
from registry.cli.output import print_rows

app = typer.Typer(help="The audit trail.", no_args_is_help=True)

PAGE = 1000

Actor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Only what this account did.")]
Repository = Annotated[str | None, typer.Option("--repository", metavar="NAME", help="Only what was done to it.")]
Action = Annotated[str | None, typer.Option("--action", help="Only this action, such as push or user.add.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Such as 24h, 7d or 2026-01-31.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many lines at most.")]


@app.callback()
def _group() -> None:
    """The audit trail."""


@app.command("list")
def list_lines(
    actor: Actor = None,
    repository: Repository = None,
    action: Action = None,
    since: Since = None,
    limit: Limit = 100,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what was done, the newest first. The whole trail is also in audit.jsonl, line by line."""
    from registry.catalog.audit import AuditLine
    from registry.cli.rows import AUDIT, audit_row
    from registry.cli.times import read_moment

    found: list[AuditLine] = []
    with administering(config, data) as here, here.catalog.read() as tx:
        begin = read_moment(since, "--since", tx.now) if since is not None else None
        while len(found) < limit:
            page = tx.audit.page(
                actor=actor,
                repository=repository,
                action=action,
                since=begin,
                after_id=found[-1].id if found else None,
                limit=min(PAGE, limit - len(found)),
            )
            found += page
            if not page:
                break
    print_rows(map(audit_row, found), AUDIT, as_json=as_json)
