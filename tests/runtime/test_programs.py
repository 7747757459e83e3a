"""Programs are run to their end, within a time, and what they say reaches the user."""

import shutil

import pytest

from runtime import programs
from runtime.errors import Unavailable


def test_output_and_input() -> None:
    assert programs.run(programs.find("cat"), stdin="through") == "through"


def test_what_a_program_says_is_in_the_error() -> None:
    with pytest.raises(programs.ProgramFailed, match=r"^ls failed: .*no-such-file"):
        programs.run(programs.find("ls"), "/no-such-file")


def test_a_program_that_does_not_end_is_given_up() -> None:
    with pytest.raises(programs.ProgramFailed, match="no end after 0 s"):
        programs.run(programs.find("sleep"), "30", timeout=0.1)


@pytest.mark.parametrize(("name", "package"), [("nft", "nftables"), ("ip", "iproute2"), ("unheard-of", "unheard-of")])
def test_a_missing_program_comes_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Unavailable, match=f"{name} not found; install it with: apt-get install {package}"):
        programs.find(name)
