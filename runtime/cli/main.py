"""The words of `moor`, and the file that each lives in: a command is imported when it is called, and no earlier.

Source: docker/cli's commands, in its own grouping. What the daemon answers with an error ends here, in Docker's form.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from registry import __version__
from runtime.cli.answers import Broken
from runtime.cli.client import Refused, Unreachable
from runtime.cli.options import Command, Failure, UsageFailure
from runtime.cli.session import Session

INTERRUPTED = 130

Words = Mapping[str, str]

GROUPS: Mapping[str, tuple[str, Words]] = MappingProxyType(
    {
        "builder": ("Manage builds", {"build": "building:build", "prune": "building:prune"}),
        "container": (
            "Manage containers",
            {
                "attach": "attaching:attach",
                "commit": "files:commit",
                "cp": "copying:cp",
                "create": "running:create",
                "diff": "files:diff",
                "exec": "executing:exec_",
                "export": "files:export",
                "inspect": "inspecting:container_inspect",
                "kill": "states:kill",
                "logs": "watching:logs",
                "ls": "listing:ps",
                "pause": "states:pause",
                "port": "watching:port",
                "prune": "pruning:container_prune",
                "rename": "states:rename",
                "restart": "states:restart",
                "rm": "states:rm",
                "run": "running:run",
                "start": "attaching:start",
                "stats": "measuring:stats",
                "stop": "states:stop",
                "top": "watching:top",
                "unpause": "states:unpause",
                "update": "updating:update",
                "wait": "states:wait",
            },
        ),
        "image": (
            "Manage images",
            {
                "build": "building:build",
                "history": "images:history",
                "import": "archives:import_",
                "inspect": "inspecting:image_inspect",
                "load": "archives:load",
                "ls": "images:images",
                "prune": "pruning:image_prune",
                "pull": "transfer:pull",
                "push": "transfer:push",
                "rm": "images:rmi",
                "save": "archives:save",
                "tag": "images:tag",
            },
        ),
        "network": (
            "Manage networks",
            {
                "connect": "networks:connect",
                "create": "networks:create",
                "disconnect": "networks:disconnect",
                "inspect": "inspecting:network_inspect",
                "ls": "networks:ls",
                "prune": "pruning:network_prune",
                "rm": "networks:rm",
            },
        ),
        "system": (
            "Manage the engine",
            {
                "df": "usage:df",
                "events": "events:events",
                "info": "about:info",
                "prune": "pruning:system_prune",
            },
        ),
        "volume": (
            "Manage volumes",
            {
                "create": "volumes:create",
                "inspect": "inspecting:volume_inspect",
                "ls": "volumes:ls",
                "prune": "pruning:volume_prune",
                "rm": "volumes:rm",
            },
        ),
    }
)

_CONTAINER, _IMAGE = GROUPS["container"][1], GROUPS["image"][1]

WORDS: Words = MappingProxyType(
    {name: where for name, where in _CONTAINER.items() if name not in {"ls", "prune", "inspect"}}
    | {name: _IMAGE[name] for name in ("build", "history", "import", "load", "pull", "push", "save", "tag")}
    | {
        "completion": "completing:completion",
        "daemon": "service:daemon",
        "doctor": "service:doctor",
        "events": "events:events",
        "images": _IMAGE["ls"],
        "info": "about:info",
        "inspect": "inspecting:inspect",
        "login": "logins:login",
        "logout": "logins:logout",
        "ps": _CONTAINER["ls"],
        "rmi": _IMAGE["rm"],
        "search": "searching:search",
        "version": "about:version",
    }
)
ALIASES: Words = MappingProxyType({"list": "ls", "remove": "rm"})
COMMON = ("run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info")


class Group(click.Group):
    """Commands by name, each imported when it is asked for."""

    words: Words = MappingProxyType({})
    groups: Mapping[str, tuple[str, Words]] = MappingProxyType({})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name."""
        return sorted([*self.words, *self.groups])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        name = cmd_name if cmd_name in self.words else ALIASES.get(cmd_name, cmd_name)
        if name in self.groups:
            return _group(name, *self.groups[name])
        if name not in self.words:
            return None
        return _imported(self.words[name], name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises: Failure in Docker's words."""
        found = self.get_command(ctx, args[0])
        if found is None:
            path = ctx.command_path
            raise Failure(f"moor: unknown command: {path} {args[0]}\n\nRun '{path} --help' for more information")
        return found.name, found, args[1:]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Docker's form of the usage line."""
        formatter.write(f"Usage:  {ctx.command_path} {'[OPTIONS] ' if self.groups else ''}COMMAND\n")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in Docker's sections."""
        common = [name for name in COMMON if name in self.words] if self.groups else []
        sections = (
            ("Common Commands", common),
            ("Management Commands", list(self.groups)),
            ("Commands", sorted(set(self.words) - set(common))),
        )
        for title, names in sections:
            rows = [
                (name, command.get_short_help_str(80)) for name in names if (command := self.get_command(ctx, name))
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _imported(where: str, name: str) -> Command:
    from importlib import import_module

    module, _, attribute = where.partition(":")
    command: Command = getattr(import_module(f"runtime.cli.commands.{module}"), attribute)
    command.name = name
    return command


def _group(name: str, help: str, words: Words) -> Group:
    group = Group(name, help=help, no_args_is_help=False, invoke_without_command=True, callback=_help)
    group.words = words
    return group


@click.pass_context
def _help(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@click.command(cls=Group, invoke_without_command=True)
@click.option("-H", "--host", metavar="unix://PATH", default="", help="Daemon socket to connect to")
@click.option("--config", metavar="DIRECTORY", default="", help="Where config.json with the logins is")
@click.option("-v", "--version", "version_only", is_flag=True, help="Print version information and quit")
@click.pass_context
def moor(ctx: click.Context, host: str, config: str, version_only: bool) -> None:
    """Pull and run images from a private registry, in Docker's own words."""
    ctx.obj = Session(host, Path(config) if config else None)
    if version_only:
        click.echo(f"Moorage engine version {__version__}")
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


moor.words = WORDS
moor.groups = GROUPS


def run(arguments: list[str]) -> int:
    """Run one command line to its end and return the process's exit status; errors are printed."""
    try:
        return _status(moor.main(arguments, prog_name="moor", standalone_mode=False))
    except Refused as error:
        return _failed(f"Error response from daemon: {error}", 1)
    except (Unreachable, Broken) as error:
        return _failed(str(error), 1)
    except Failure as error:
        return _failed(str(error), error.status)
    except click.UsageError as error:
        ctx = error.ctx or click.Context(moor, info_name="moor")
        failure = UsageFailure(error.format_message(), ctx, 125)
        return _failed(str(failure), failure.status)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        _silence()
        return 1
    except OSError as error:
        return _failed(f"moor: {error}", 1)


def _status(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _failed(message: str, status: int) -> int:
    if message:
        click.echo(message, err=True)
    return status


def _silence() -> None:
    """Nobody reads our output any more: what is left in its buffer goes nowhere, quietly."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
