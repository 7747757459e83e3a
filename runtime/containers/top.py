"""The processes of a container, as `docker top` shows them: what the host's `ps` says of them.

Source: Engine API, ContainerTop; ps(1).
"""

import re
from collections.abc import Collection, Sequence

from runtime import programs
from runtime.errors import BadParameter, EngineError

USUAL = "-ef"
_ASCII_SPACE = re.compile(r"[\t\n\f\r ]+")  # a command line may hold other ones
_RENAMED_PID = re.compile(r"\s+([^\s]*)=\s*(PID[^\s]*)")


def processes(pids: Collection[int], arguments: str = USUAL) -> dict[str, list[str] | list[list[str]]]:
    """Show processes by `ps ARGUMENTS`: `Titles`, and for each process a list of as many values.

    Raises: BadParameter where the arguments name another column PID; EngineError with what ps says; Unavailable.
    """
    for column, _ in _RENAMED_PID.findall(f" {arguments}"):
        if column != "pid":
            raise BadParameter(f'specifying "{column}=PID" is not allowed')
    given = arguments.split()
    if not pids:
        raise EngineError("the container has no process")
    ps = programs.find("ps")
    try:
        text = programs.run(ps, *given, "-q" + ",".join(map(str, sorted(pids))))
    except programs.ProgramFailed:  # some options do not go together with -q
        text = programs.run(ps, *given)
    return _chosen(text.splitlines(), pids)


def _chosen(lines: Sequence[str], pids: Collection[int]) -> dict[str, list[str] | list[list[str]]]:
    titles = _fields(lines[0]) if lines else []
    if "PID" not in titles:
        raise EngineError("Couldn't find PID field in ps output")
    at = titles.index("PID")
    rows: list[list[str]] = []
    ours = False
    for line in lines[1:]:
        fields = _fields(line)
        if len(fields) < len(titles):
            continue
        if fields[at] != "-":  # a thread's line belongs to the process's before it
            ours = fields[at].isascii() and fields[at].isdigit() and int(fields[at]) in pids
        if ours:
            last = len(titles) - 1
            rows.append([*fields[:last], " ".join(fields[last:])])
    return {"Titles": titles, "Processes": rows}


def _fields(line: str) -> list[str]:
    return [field for field in _ASCII_SPACE.split(line) if field]
