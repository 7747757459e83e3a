"""How commands answer: a table for people, or one JSON document for scripts, from the same rows.

A row is a mapping whose keys are the names in the JSON, which scripts rely on. Times are RFC 3339 in UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

Value = object
Row = Mapping[str, Value]


def rfc3339(microseconds: int | None) -> str | None:
    """Write a time (µs since 1970) to the second; None stays None."""
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_json(document: Value) -> None:
    """Print one JSON document."""
    import orjson

    print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def print_rows(rows: Iterable[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Print all of the rows as JSON, or some columns of them as a table; of no rows nothing but the headings."""
    found = list(rows)
    if as_json:
        print_json(found)
        return
    cells = [[column.upper().replace("_", " ") for column in columns]]
    cells += [[cell(row[column]) for column in columns] for row in found]
    widths = [max(len(line[position]) for line in cells) for position in range(len(columns))]
    for line in cells:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_row(row: Row, *, as_json: bool) -> None:
    """Print one thing as JSON, or as a line for each of its names."""
    if as_json:
        print_json(row)
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        print(f"{name.replace('_', ' ').ljust(width)}  {cell(value)}".rstrip())


def cell(value: Value) -> str:
    """Write a value for people; what there is not is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(cell(part) for part in value.values())
    if isinstance(value, list | tuple):
        return ", ".join(cell(part) for part in value) or "-"
    text = "-" if value in (None, "") else str(value)
    # A description may come from an image: it must not move the cursor of who reads the list.
    return "".join(character if character.isprintable() else "?" for character in text)
