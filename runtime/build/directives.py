"""The comments at a Dockerfile's top that direct its parser: `# escape=`. Pure.

Source: Dockerfile reference, "Parser directives"; BuildKit's frontend/dockerfile/parser/directives.go.
"""

import re

from runtime.errors import BadParameter

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", re.ASCII)
_KNOWN = frozenset({"escape", "syntax", "check"})


class Directives:
    """What was directed so far. `escape`: the character that escapes and continues lines."""

    def __init__(self, escape: str = "\\") -> None:
        self._seen: set[str] = set()
        self._done = False
        self._choose(escape)

    def look(self, line: str) -> None:
        """Look at one more line; the first that is no directive ends them. Raises BadParameter."""
        if self._done:
            return
        match = _DIRECTIVE.fullmatch(line)
        if match is None:
            self._done = True
            return
        name = match[1].lower()
        if name not in _KNOWN:
            return
        if name in self._seen:
            raise BadParameter(f"only one {name} parser directive can be used")
        self._seen.add(name)
        if name == "escape":
            if match[2] not in ("\\", "`"):
                raise BadParameter(f"invalid ESCAPE '{match[2]}'. Must be ` or \\")
            self._choose(match[2])

    def cut(self, line: str) -> tuple[str, bool]:
        """Take the sign of continuation from a line's end; False where it goes on in the next."""
        match = self._continued.search(line)
        return (line, True) if match is None else (line[: match.start()] + (match[1] or ""), False)

    def _choose(self, escape: str) -> None:
        self.escape = escape
        sign = re.escape(escape)
        self._continued = re.compile(f"([^{sign}]){sign}[ \\t]*$|^{sign}[ \\t]*$")
