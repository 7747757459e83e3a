"""`moorage job`: the work that no request waits for, what is to be done and what was done."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say, stop
from registry.cli.opening import administering
from registry.cli.output import print_row, print_rows

app = typer.Typer(help="Jobs: what is to be done, and what was done.", no_args_is_help=True)

KindName = Annotated[str, typer.Argument(metavar="KIND", help="Such as sweep-uploads.")]
OnlyKind = Annotated[str | None, typer.Option("--kind", help="Only jobs of this kind.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="As `moorage job list` shows it.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many lines at most.")]


@app.command("list")
def list_jobs(limit: Limit = 100, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List what is to be done, the next first."""
    from registry.cli.rows import JOBS, job_row

    with administering(config, data) as here, here.catalog.read() as tx:
        found = [job_row(job, tx.now) for job in tx.jobs.unfinished(limit)]
    print_rows(found, JOBS, as_json=as_json)


@app.command()
def history(
    kind: OnlyKind = None, limit: Limit = 100, config: Config = None, data: Data = None, as_json: Json = False
) -> None:
    """List what was done, the newest first."""
    from registry.cli.rows import DONE_JOBS, done_job_row

    with administering(config, data) as here, here.catalog.read() as tx:
        found = tx.jobs.history(kind=kind, limit=limit)
    print_rows(map(done_job_row, found), DONE_JOBS, as_json=as_json)


@app.command()
def show(job_id: Id, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Show all that is known of a job."""
    from registry.catalog.errors import NotFound
    from registry.cli.rows import job_row

    with administering(config, data) as here, here.catalog.read() as tx:
        try:
            print_row(job_row(tx.jobs.get(job_id), tx.now), as_json=as_json)
        except NotFound:
            stop(f"there is no job {job_id} to be done; `moorage job history` tells of those that are over")


@app.command()
def run(kind: KindName, config: Config = None, data: Data = None) -> None:
    """Let a job that is done on a schedule be done now, by whichever server or worker looks first."""
    with administering(config, data) as here, here.catalog.begin() as tx:
        if not tx.jobs.hasten(kind, kind, tx.now):
            known = ", ".join(sorted({job.kind for job in tx.jobs.unfinished(1000) if job.every}))
            stop(f"there is no job {kind} on a schedule; there are: {known or 'none, for no server has started yet'}")
    say(f"{kind} is done within seconds, where a server or a worker runs: `moorage job history` tells.")


@app.command()
def cancel(job_id: Id, config: Config = None, data: Data = None) -> None:
    """Take a job back; whoever is at it stops at the next point where it can."""
    from registry.catalog.errors import NotFound

    with administering(config, data) as here, here.catalog.begin() as tx:
        try:
            job = tx.jobs.get(job_id)
        except NotFound:
            stop(f"there is no job {job_id} to be done")
        if job.every is not None:
            stop(f"{job.kind} is done on a schedule, again and again; it cannot be taken back")
        tx.jobs.cancel(job_id)
    say(f"Job {job_id} ({job.kind}) is taken back.")
