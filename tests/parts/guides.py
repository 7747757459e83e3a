"""Reads the guides in docs/ as a person does who follows them: the commands to type and the files to write.

A fenced block of `sh` is typed; another whose first line is a comment with a path is that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.parts.tools import ROOT

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FILE = re.compile(r"# (\S+)[^\n]*\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `path`: the file that it is the text of, or ""."""

    heading: str
    language: str
    text: str

    @property
    def path(self) -> str:
        """The file that its first line names."""
        found = FILE.match(self.text)
        return found[1] if found and self.language != "sh" else ""


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide."""

    name: str
    text: str

    def blocks(self, heading: str) -> list[Block]:
        """The blocks below a heading, up to the next. Raises AssertionError where there are none."""
        found = [block for block in all_blocks(self.text) if block.heading == heading]
        assert found, f"{self.name} has no block below the heading {heading!r}"
        return found

    def commands(self, heading: str) -> list[str]:
        """The commands below a heading, block by block."""
        return [block.text for block in self.blocks(heading) if block.language == "sh"]

    def files(self, heading: str) -> dict[str, str]:
        """The files below a heading: path -> text."""
        return {block.path: block.text for block in self.blocks(heading) if block.path}


def read_guide(name: str) -> Guide:
    """The guide docs/NAME."""
    return Guide(name, (ROOT / "docs" / name).read_text(encoding="utf-8"))


def all_blocks(text: str) -> list[Block]:
    """Every fenced block, with the heading that it stands under; a comment inside a block is no heading."""
    blocks, heading, end = [], "", 0
    for fence in FENCE.finditer(text):
        between = HEADING.findall(text[end : fence.start()])
        heading = between[-1] if between else heading
        blocks.append(Block(heading, fence[1], fence[2]))
        end = fence.end()
    return blocks
