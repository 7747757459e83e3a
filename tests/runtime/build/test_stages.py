"""The plan: stages, scopes of ARG, what a target needs, and the sentences for what cannot be."""

import pytest

from runtime.build.parser import parse
from runtime.build.stages import Plan, plan
from runtime.errors import EngineError


def planned(text: str, target: str = "", **arguments: str) -> Plan:
    return plan(parse(text), arguments, {"TARGETARCH": "amd64"}, target)


def test_only_what_the_target_needs_is_built() -> None:
    text = "FROM a AS one\nFROM b AS two\nFROM one AS three\nCOPY --from=two x y\nFROM three\n"
    assert [stage.number for stage in planned(text).stages] == [0, 1, 2, 3]
    assert [stage.number for stage in planned(text, "three").stages] == [0, 1, 2]
    assert [stage.number for stage in planned(text, "TWO").stages] == [1]
    assert [stage.number for stage in planned(text, "0").stages] == [0]


def test_a_mount_and_a_number_are_needs_too() -> None:
    text = "FROM a\nFROM b AS m\nFROM c\nRUN --mount=type=bind,from=m,target=/x true\nCOPY --from=0 x y\n"
    assert planned(text).stages[-1].needs == {0, 1}


def test_a_later_stage_is_an_image() -> None:
    found = planned("FROM two\nFROM b AS two\nFROM c\nCOPY --from=9 x y\n")
    assert found.stages[0].base == "c"
    assert found.stages[0].needs == frozenset()


def test_arguments_before_the_first_stage() -> None:
    text = "ARG A=x\nARG B=${A}y C\nFROM $B-$TARGETARCH$C AS s\n"
    assert planned(text).stages[0].base == "xy-amd64"
    assert planned(text, A="z", C="c").stages[0].base == "zy-amd64c"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("RUN x\n", "no build stage in current context"),
        ("ARG x\n", "no build stage in current context"),
        ("FROM a b\n", "FROM requires either one or three arguments"),
        ("FROM a as 1x\n", "invalid name for build stage"),
        ("FROM a\nFOO x\n", "line 2: unknown instruction: FOO"),
        ("FROM $x\n", r"base name \(\$x\) should not be blank"),
        ("FROM a\nCOPY x\n", "COPY requires at least two arguments"),
        ("FROM a\nUSER\n", "USER requires exactly one argument"),
        ("FROM a\nONBUILD ONBUILD RUN x\n", "Chaining ONBUILD"),
        ("FROM a\nONBUILD FROM x\n", "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM a\nSHELL sh -c\n", "SHELL requires the arguments to be in JSON form"),
        ("FROM a\nCOPY --chwn=1 a b\n", "unknown flag: chwn"),
        ("FROM a\nCOPY --chown=1 --chown=2 a b\n", "duplicate flag specified: chown"),
        ("FROM a\nCOPY --chown a b\n", "missing a value on flag: chown"),
        ("FROM a\nCOPY --link=x a b\n", "expecting boolean value for flag link, not: x"),
        ("FROM a\nCOPY --exclude=x a b\n", "--exclude is not there"),
        ("FROM a\nENV =b\n", "ENV names can not be blank"),
        ("FROM a\n" + "RUN x\n" * 1000, "more than 1000 instructions"),
    ],
)
def test_what_cannot_be_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence):
        planned(text)


def test_an_unknown_target() -> None:
    with pytest.raises(EngineError, match='target stage "x" could not be found'):
        planned("FROM a\n", "x")


def test_variables_that_double_are_stopped() -> None:
    lines = ["ARG A0=" + "x" * 1000, *(f"ARG A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 30)), "FROM a"]
    with pytest.raises(EngineError, match="grows beyond"):
        planned("\n".join(lines) + "\n")
