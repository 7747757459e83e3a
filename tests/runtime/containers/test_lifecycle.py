"""A container's life on real runc and conmon: started, stopped, killed, restarted, removed; nothing is left."""

import pytest

from tests.runtime.containers.conftest import Place

pytestmark = pytest.mark.e2e


def test_it_runs_and_its_exit_code_and_output_are_known(place: Place) -> None:
    code, output = place.run("sh", "-c", "echo hello; exit 7")
    assert (code, output) == (7, "hello\n")
    place.clear()
    assert place.leftovers() == []
