"""Changes in a Dockerfile's words: each instruction's forms, and what is refused."""

from typing import Any

import pytest

from runtime.errors import BadParameter
from runtime.images.amending import amended

SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({}, 'CMD ["a", "b"]', {"Cmd": ["a", "b"]}),
        ({}, "cmd echo $HOME", {"Cmd": [*SHELL, "echo $HOME"]}),
        ({"Shell": ["bash", "-e"]}, "CMD x", {"Shell": ["bash", "-e"], "Cmd": ["bash", "-e", "x"]}),
        ({"Cmd": ["old"]}, 'ENTRYPOINT ["e"]', {"Entrypoint": ["e"]}),
        ({"Env": ["A=1", "B=2"]}, "ENV A=3 C=4", {"Env": ["A=3", "B=2", "C=4"]}),
        ({"Env": None}, "ENV A two words", {"Env": ["A=two words"]}),
        ({}, "ENV A=\"x y\" B='z' C=a\\ b", {"Env": ["A=x y", "B=z", "C=a b"]}),
        ({"Labels": {"a": "1"}}, "LABEL a=2 b=", {"Labels": {"a": "2", "b": ""}}),
        ({}, "EXPOSE 80 53/UDP 7000-7002", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "7000-7002/tcp": {}}}),
        ({}, "USER 1000:0", {"User": "1000:0"}),
        ({}, "STOPSIGNAL SIGQUIT", {"StopSignal": "SIGQUIT"}),
        ({"Volumes": {"/a": {}}}, 'VOLUME ["/b c"]', {"Volumes": {"/a": {}, "/b c": {}}}),
        ({}, "VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
        ({"WorkingDir": "/srv"}, "WORKDIR app/../x", {"WorkingDir": "/srv/x"}),
        ({"WorkingDir": "/srv"}, "WORKDIR /../../etc", {"WorkingDir": "/etc"}),
        ({"OnBuild": ["RUN a"]}, "ONBUILD RUN b", {"OnBuild": ["RUN a", "RUN b"]}),
        ({}, "USER a\nENV B=1\n\nWORKDIR /", {"User": "a", "Env": ["B=1"], "WorkingDir": "/"}),
        ({}, "ENV A=1 \\\n B=2", {"Env": ["A=1", "B=2"]}),
    ],
)
def test_an_instruction_changes_the_configuration(before: dict[str, Any], change: str, after: dict[str, Any]) -> None:
    kept = repr(before)
    assert amended(before, [change]) == after
    assert repr(before) == kept  # an image's own configuration is not changed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("RUN true", "run is not a valid change command"),
        ("COPY a b", "copy is not a valid change command"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "can't find = in 'B'"),
        ("LABEL =x", "can't find ="),
        ("ENV '=", "dockerfile parse error"),
        ("EXPOSE 80/icmp", "invalid containerPort: 80/icmp"),
        ("EXPOSE http", "invalid containerPort: http"),
        ("EXPOSE 99999", "invalid containerPort: 99999"),
    ],
)
def test_what_is_no_change_is_refused(change: str, sentence: str) -> None:
    with pytest.raises(BadParameter, match=sentence):
        amended({}, [change])
