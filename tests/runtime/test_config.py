"""The engine's settings: where they come from, which wins, and what a mistake is answered with."""

from pathlib import Path

import pytest

from runtime.config import read
from runtime.errors import BadParameter


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "engine.toml"
    file.write_text('default_registry = "a.example"\nmirrors = ["https://m.example"]\nparallel_layers = 5\n')
    settings = read({"MOOR_CONFIG": str(file), "MOOR_DEFAULT_REGISTRY": "b.example", "MOOR_DATA": "/d"})
    assert settings.default_registry == "b.example"
    assert settings.mirrors == ("https://m.example",)
    assert (settings.parallel_layers, settings.data) == (5, Path("/d"))


def test_lists_come_with_commas_from_the_environment() -> None:
    found = read({"MOOR_CONFIG": "/dev/null", "MOOR_INSECURE_REGISTRIES": "a:1, b:2,"})
    assert found.insecure_registries == ("a:1", "b:2")


def test_every_mistake_is_told_at_once_with_the_nearest_name() -> None:
    with pytest.raises(BadParameter) as caught:
        read({"MOOR_CONFIG": "/dev/null", "MOOR_MIRROR": "x", "MOOR_PARALLEL_LAYERS": "many", "MOOR_ROOTLESS": "maybe"})
    said = str(caught.value)
    assert "mirror is no setting of the engine; mirrors is" in said
    assert "parallel_layers cannot be 'many'" in said
    assert "rootless cannot be 'maybe'" in said


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="MOOR_CONFIG names it"):
        read({"MOOR_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("text", ["mirrors = 3", "default_registry = 5", "= broken"])
def test_a_file_with_a_wrong_value_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "engine.toml"
    file.write_text(text)
    with pytest.raises(BadParameter):
        read({"MOOR_CONFIG": str(file)})
