"""Commands and options as Docker's command line reads and refuses them, on top of click.

What click says otherwise: `--rm=false`, usage errors in Docker's words and with its exit statuses (1 for a wrong number
of arguments, 125 for a wrong option), and options that end at the first argument. Source: docker/cli, cli/required.go.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

Function = TypeVar("Function", bound=Callable[..., Any])

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_OFF = "--off-"
"""What turns a flag off inside: nobody writes it, `--rm=false` becomes it."""


class Failure(Exception):
    """The command cannot go on. `str(error)`: what is printed, if anything; `status`: the process's."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class BadValue(click.BadParameter):
    """An option's value that cannot be read: what was given, and why it is none."""

    def __init__(self, value: str, reason: str) -> None:
        super().__init__(reason)
        self.value = value


class UsageFailure(Failure):
    """The command was not written as it should be."""

    def __init__(self, message: str, ctx: click.Context, status: int) -> None:
        usage = ctx.command.get_usage(ctx)
        super().__init__(f"{message}\n\n{usage}\n\nRun '{ctx.command_path} --help' for more information", status)


class Flag(click.Option):
    """A boolean option, shown without the name that turns it off."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option's line in --help."""
        record = super().get_help_record(ctx)
        return (record[0].partition(" / ")[0], record[1]) if record else None


def flag(*names: str, help: str, default: bool = False, hidden: bool = False) -> Callable[[Function], Function]:
    """A boolean option that understands `--name`, `--name=true` and `--name=false`."""
    long = names[-1]
    pair = f"{long}/{_OFF}{long.lstrip('-')}"
    return click.option(*names[:-1], pair, cls=Flag, default=default, help=help, hidden=hidden)


class Command(click.Command):
    """A command whose arguments are `words`, counted and refused as Docker does."""

    usage = "[OPTIONS]"
    least = 0
    most: int | None = None

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Docker's form of the usage line."""
        formatter.write(f"Usage:  {ctx.command_path} {self.usage}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises: UsageFailure."""
        if ctx.resilient_parsing:  # a shell completes a line that is not yet whole
            return super().parse_args(ctx, args)
        try:
            rest = super().parse_args(ctx, list(self._plain(ctx, args)))
        except click.BadParameter as error:
            raise UsageFailure(_refused(error), ctx, 125) from error
        except click.UsageError as error:
            if self.most == 0:  # options were looked at above: it can only be a word too many
                raise UsageFailure(f"moor: '{ctx.command_path}' {self._demand()}", ctx, 1) from error
            raise
        words = ctx.params.get("words", ())
        if len(words) < self.least or (self.most is not None and len(words) > self.most):
            raise UsageFailure(f"moor: '{ctx.command_path}' {self._demand()}", ctx, 1)
        return rest

    def _demand(self) -> str:
        if self.most == 0:
            return "accepts no arguments"
        if self.most is not None and self.most != self.least:
            least = f"at least {self.least}" if self.least else "at most " + str(self.most)
            return f"requires {least} argument{'s' if self.most > 1 else ''}"
        bound = "at least " if self.most is None else ""
        return f"requires {bound}{self.least} argument{'s' if self.least > 1 else ''}"

    def _plain(self, ctx: click.Context, args: Sequence[str]) -> Iterator[str]:
        """The arguments with each `--flag=BOOLEAN` in click's form; unknown options are refused on the way."""
        named = {
            name: param for param in self.get_params(ctx) for name in param.opts if isinstance(param, click.Option)
        }
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--" or len(word) < 2 or word[0] != "-":
                yield word
                if word == "--" or not ctx.allow_interspersed_args:
                    yield from rest
                    return
            elif word.startswith("--"):
                yield from _long(ctx, word, rest, named)
            else:
                yield from _short(ctx, word, rest, named)


def _refused(error: click.BadParameter) -> str:
    names = ", ".join(error.param.opts) if error.param else ""
    if isinstance(error, BadValue):
        return f'invalid argument "{error.value}" for "{names}" flag: {error.message}'
    return f'invalid argument for "{names}" flag: {error.message}'


def _long(ctx: click.Context, word: str, rest: list[str], named: Mapping[str, click.Option]) -> Iterator[str]:
    name, equals, value = word.partition("=")
    option = named.get(name)
    if option is None:
        raise UsageFailure(f"unknown flag: {name}", ctx, 125)
    if isinstance(option, Flag):
        yield _switched(ctx, name, option, value) if equals else word
        return
    yield word
    if not equals and not option.is_flag:
        if not rest:
            raise UsageFailure(f"flag needs an argument: {name}", ctx, 125)
        yield rest.pop(0)


def _short(ctx: click.Context, word: str, rest: list[str], named: Mapping[str, click.Option]) -> Iterator[str]:
    for place, letter in enumerate(word[1:], 1):
        option = named.get(f"-{letter}")
        if option is None:
            raise UsageFailure(f"unknown shorthand flag: '{letter}' in {word}", ctx, 125)
        follows = word[place + 1 :]
        if isinstance(option, Flag):
            if follows.startswith("="):
                yield _switched(ctx, f"-{letter}", option, follows[1:])
                return
            yield f"-{letter}"
            continue
        if not follows and not rest:
            raise UsageFailure(f"flag needs an argument: '{letter}' in {word}", ctx, 125)
        yield option.opts[-1]
        yield follows.removeprefix("=") if follows else rest.pop(0)
        return


def _switched(ctx: click.Context, name: str, option: Flag, value: str) -> str:
    if value in TRUE:
        return option.opts[-1]
    if value in FALSE:
        return option.secondary_opts[0]
    raise UsageFailure(
        f'invalid argument "{value}" for "{name}" flag: strconv.ParseBool: parsing "{value}": invalid syntax', ctx, 125
    )


def command(
    usage: str = "[OPTIONS]",
    *,
    least: int = 0,
    most: int | None = None,
    options_first: bool = False,
    of: str = "",
) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function (its docstring is the help).

    Args: usage: what follows the command's name; least, most: how many words it takes (`words` of the function, given
          where most is not 0); options_first: what follows the first word is not read; `of`: what a shell completes
          words with: container, image, network, volume.
    """

    def made(function: Callable[..., Any]) -> Command:
        if most != 0:
            words = click.argument("words", nargs=-1, type=click.UNPROCESSED, shell_complete=_completion(of))
            function = words(function)
        settings = {"allow_interspersed_args": not options_first}
        built = click.command(cls=Command, context_settings=settings)(click.pass_obj(function))
        built.usage, built.least, built.most = usage, least, most
        return built

    return made


def _completion(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from runtime.cli.completion import names  # asks the daemon: only when a shell wants it

        return [CompletionItem(name) for name in names(kind, ctx) if name.startswith(incomplete)]

    return complete
