"""`moorage explain`: why may somebody do something, or why not."""

from typing import Annotated

import typer

from registry.cli.common import FAILURE, USAGE, Config, Data, Json
from registry.cli.opening import administering
from registry.cli.output import print_json

Name = Annotated[str, typer.Argument(metavar="USER", help="A user, a robot (acme+ci), or anonymous.")]
Wanted = Annotated[str, typer.Argument(metavar="RIGHT", help="pull, push, create, delete or admin.")]
Place = Annotated[str, typer.Argument(metavar="REPOSITORY", help="Such as acme/app; it need not exist.")]
Token = Annotated[str | None, typer.Option("--token", metavar="ID", help="With this token of theirs.")]


def explain(
    name: Name,
    right: Wanted,
    repository: Place,
    token: Token = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say whether USER has RIGHT on REPOSITORY, and why. Exits with 0 for yes, 1 for no, 2 where it cannot tell."""
    with administering(config, data, USAGE) as here:
        answer = here.explainer.explain(name, right, repository, token=token)
    if as_json:
        words = {"because": answer.because, "facts": list(answer.facts), "advice": answer.advice or None}
        print_json({"allowed": answer.allowed, **words})
    else:
        print(f"{'yes' if answer.allowed else 'no'}: {answer.because}")
        for fact in answer.facts:
            print(f"  {fact}")
        if answer.advice:
            print(f"To change that: {answer.advice}")
    raise typer.Exit(0 if answer.allowed else FAILURE)
