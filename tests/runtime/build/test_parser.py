"""The parser against the official one (PyPI `dockerfile`, BuildKit's own code): tricky files, and files made up."""

import dockerfile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.build.parser import Dockerfile, Instruction, parse
from runtime.errors import BadParameter

TRICKY = [
    "FROM a AS b\n",
    "from a\nrun echo \\\n # comment\n\n hi\n",
    "FROM a\nRUN echo \\\\\nRUN two\n",
    "FROM a\nRUN echo \\   \n next\n",
    "# escape=`\nFROM a\nRUN dir c:\\`\n  d\n",
    "#escape = `\nFROM a\nENV a=b` c d=e\n",
    "# syntax=x\n# escape=`\nFROM a\nRUN x `\ny\n",
    "# comment first\n# escape=`\nFROM a\nRUN x `\n",
    "FROM a\nENV a=b c=\"d e\" f='g h' i=j\\ k\n",
    "FROM a\nENV a b c d\n",
    "FROM a\nENV a=\n",
    'FROM a\nLABEL a.b=c "d e"="f\\"g"\n',
    "FROM a\nENV a='x\\'\n",
    "FROM a\nENV a=b\\\n",
    'FROM a\nCMD ["a", "b"]\nENTRYPOINT [ ]\nSHELL ["x"]\n',
    'FROM a\nCMD ["a", b]\n',
    "FROM a\nRUN ['a']\n",
    "FROM a\nCOPY --from=b --chown=1:2 c d\n",
    'FROM a\nCOPY --chown="a b" c d\nADD --x\\ y q r\n',
    "FROM a\nRUN -- --x y\nRUN --mount=type=cache,target=/x --network=none z\n",
    "FROM a\nRUN <<EOF\na\n\tb\nEOF\n",
    "FROM a\nRUN <<EOF cat <<-'B'\n a\nEOF\n\tx\n\tB\nCMD x\n",
    'FROM a\nCOPY <<a.txt <<"b.txt" /x/\nA $y\na.txt\nB\nb.txt\n',
    "FROM a\nRUN cat <<<here\n",
    "FROM a\nRUN echo '<<EOF'\n",
    'FROM a\nRUN ["<<EOF"]\n',
    "FROM a\nRUN 3<<EOF x\ny\nEOF\n",
    "FROM a\nONBUILD RUN echo x\nONBUILD COPY --from=x a b\n",
    "FROM a\nONBUILD RUN <<EOF\nhi\nEOF\n",
    'FROM a\nHEALTHCHECK NONE\nHEALTHCHECK --interval=5s CMD curl x\nHEALTHCHECK CMD ["x"]\n',
    'FROM a\nEXPOSE 80 443/tcp\nVOLUME /a /b\nVOLUME ["/a b"]\nUSER x\nWORKDIR /a b\nSTOPSIGNAL 9\nMAINTAINER x y\n',
    'ARG a=b c\nFROM $a\nARG d="e f" g\n',
    "\ufeffFROM a\n",
    "FROM a\r\nRUN x \\\r\n y\r\nENV a=b\r\n",
    "FROM a\nRUN x \\",
    "FROM a\n   \t RUN\tx\n",
    "FROM a\nRUN\n",
    "FROM a\nFOO bar\n",
    "FROM a\nRUN a \\\n#b\n  #c\n\n\nd\nCMD e\n",
    "FROM a\nRUN \\\n\\\nfoo\n",
    'FROM a\nENV ä=ö\nLABEL x="日本 語"\n',
    "FROM a\nRUN x\u00a0y\n",
    "FROM a\nRUN <<E\n",
    "FROM a\nENV x\n",
    "FROM a\nLABEL a=b c\n",
    "FROM a\nRUN [1]\n",
    "# escape=x\nFROM a\n",
    "# escape=`\n# escape=`\nFROM a\n",
    "",
    "# nothing\n",
]


def theirs(text: str) -> list[tuple[object, ...]] | None:
    """What the official parser makes of it; None where it refuses."""
    try:
        found = dockerfile.parse_string(text)
    except (dockerfile.GoParseError, dockerfile.GoIOError):
        return None
    return [
        (
            (c.cmd or "").lower(),
            (c.sub_cmd or "").lower(),
            c.json,
            c.flags,
            _values(c.value),
            [tuple(h) for h in c.heredocs],
        )
        for c in found
    ]


def _values(found: tuple[str, ...]) -> tuple[str, ...]:
    """The binding gives an empty text where there is nothing."""
    return () if found == ("",) else found


def shown(found: Dockerfile) -> list[tuple[object, ...]]:
    """What ours makes of it, in the same shape."""
    return [_shown(each) for each in found.instructions]


def _shown(each: Instruction) -> tuple[object, ...]:
    inner = each.trigger or each
    heredocs = [(h.name, h.descriptor, h.content) for h in each.heredocs]
    if each.trigger:
        heredocs = []  # the binding does not show these
    return (
        each.word,
        each.trigger.word if each.trigger else "",
        inner.is_json,
        each.flags,
        _values(inner.values),
        heredocs,
    )


def ours(text: str) -> list[tuple[object, ...]] | None:
    """What ours makes of it; None where it refuses."""
    try:
        return shown(parse(text))
    except BadParameter:
        return None


@pytest.mark.parametrize("text", TRICKY)
def test_reads_as_the_official_parser(text: str) -> None:
    assert ours(text) == theirs(text)


WORDS = st.sampled_from(
    ["RUN", "FROM a", "ENV", "COPY", "ADD --from=x", "LABEL", "ARG", "CMD", "ONBUILD", "HEALTHCHECK", "USER",
     "VOLUME", "a", "b=c", '"', "'", "\\", "\\\n", "\n", " ", "\t", "#x", "# escape=`\n", "`\n", "[",
     "]", '"a"', ",", "<<E", "<<-E",
     "E\n", "--x=y", "--", "$a", "${b}", "=", "\\\\"]
)  # fmt: skip


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.lists(WORDS, max_size=25))
def test_reads_made_up_files_as_the_official_parser(pieces: list[str]) -> None:
    text = "FROM a\n" + "".join(pieces) + "\n"
    assert ours(text) == theirs(text)


def test_the_line_of_an_error_is_told() -> None:
    with pytest.raises(BadParameter, match="dockerfile parse error on line 3: ENV must have two arguments"):
        parse("FROM a\n\nENV x\n")
