"""The states of containers by the stock docker command and docker-py: codes, sentences, tables and waits."""

import json
import re

import docker
import docker.errors
import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine
from tests.runtime.whole.conftest import IMAGE

pytestmark = pytest.mark.e2e


def failed(engine: RunningEngine, *arguments: str) -> tuple[int, str]:
    """A command that must fail: its status and what it said."""
    with pytest.raises(CommandFailed) as failure:
        engine.docker(*arguments)
    status = re.search(r"exit (\d+)", str(failure.value))
    assert status is not None
    return int(status[1]), failure.value.said


def test_a_container_s_life_by_the_stock_command(engine: RunningEngine) -> None:
    try:
        engine.docker("run", "--detach", "--name", "life", "--network", "none", IMAGE, "sleep", "600")
        assert "Up " in engine.docker("ps", "--filter", "name=life", "--format", "{{.Status}}")
        status, said = failed(engine, "rm", "life")
        assert status == 1 and 'cannot remove container "/life": container is running' in said
        engine.docker("pause", "life")
        assert "(Paused)" in engine.docker("ps", "--filter", "name=life", "--format", "{{.Status}}")
        engine.docker("unpause", "life")
        engine.docker("rename", "life", "other")
        engine.docker("update", "--memory", "64m", "--memory-swap", "128m", "--restart", "on-failure:3", "other")
        found = json.loads(engine.docker("inspect", "other"))[0]
        assert found["HostConfig"]["Memory"] == 64 * 2**20
        assert found["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
        engine.docker("stop", "--time", "0", "other")
        assert engine.docker("wait", "other") == "137"
        engine.docker("start", "other")
        engine.docker("kill", "other")
        assert engine.docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "other") == "exited 137"
        assert "other" in engine.docker("ps", "--all", "--filter", "exited=137", "--format", "{{.Names}}")
        assert "Total reclaimed space" in engine.docker("container", "prune", "--force")
        assert engine.docker("ps", "--all", "--quiet") == ""
    finally:
        engine.remove_containers()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "--rm", IMAGE, "nope"), 127, "executable file not found in $PATH"),
        (("run", "--rm", IMAGE, "/bin"), 126, "permission denied"),
        (("run", "--rm", "--user", "nobody", IMAGE, "true"), 125, "unable to find user nobody"),
        (("run", "--rm", "--network", "nowhere", IMAGE, "true"), 125, "network nowhere not found"),
        (("run", "--rm", "--memory", "1m", IMAGE, "true"), 125, "Minimum memory limit allowed is 6MB"),
        (("run", "--rm", "--cap-add", "FLY", IMAGE, "true"), 125, "unknown capability"),
        (("run", "--rm", "--mount", "type=bind,src=/no/such,dst=/x", IMAGE, "true"), 125, "bind source path does not"),
        (("run", "--rm", "--name", "a/b", IMAGE, "true"), 125, "Invalid container name (a/b)"),
        (("start", "nobody"), 1, "No such container: nobody"),
        (("kill", "nobody"), 1, "No such container: nobody"),
        (("rm", "nobody"), 1, "No such container: nobody"),
        (("stop", "nobody"), 1, "No such container: nobody"),
        (("rename", "nobody", "x"), 1, "No such container: nobody"),
        (("ps", "--filter", "frob=1"), 1, "invalid filter 'frob'"),
    ],
)
def test_what_fails_and_how(engine: RunningEngine, arguments: tuple[str, ...], status: int, said: str) -> None:
    found, words = failed(engine, *arguments)
    assert (found, said in words) == (status, True), words
    assert engine.docker("ps", "--all", "--quiet") == ""
    assert not list((engine.data / "containers").iterdir())


def test_by_docker_py(engine: RunningEngine) -> None:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto")
    try:
        container = client.containers.run(IMAGE, ["sh", "-c", "exit 5"], detach=True, name="py", labels={"by": "py"})
        assert container.wait(timeout=60)["StatusCode"] == 5
        container.reload()
        assert container.status == "exited" and container.labels == {"by": "py"}
        assert [each.name for each in client.containers.list(all=True, filters={"label": "by=py"})] == ["py"]
        with pytest.raises(docker.errors.APIError) as conflict:
            client.containers.create(IMAGE, name="py")
        assert conflict.value.status_code == 409
        container.restart(timeout=0)
        container.wait(timeout=60)
        container.rename("py2")
        container.update(mem_limit="32m", memswap_limit="64m")
        container.remove()
        with pytest.raises(docker.errors.NotFound):
            client.containers.get("py2")
        with pytest.raises(docker.errors.ContainerError) as ended:
            client.containers.run(IMAGE, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
        assert ended.value.exit_status == 3
        assert client.containers.list(all=True) == []
    finally:
        engine.remove_containers()
        client.close()


def test_an_old_client_s_start_with_a_body_and_states_that_stay(engine: RunningEngine) -> None:
    created = engine.docker("create", "--network", "none", IMAGE, "sleep", "600").strip()
    try:
        assert engine.request("POST", f"/v1.47/containers/{created}/start")[0] == 204
        assert engine.request("POST", f"/v1.47/containers/{created}/start")[0] == 304
        assert engine.request("POST", f"/v1.47/containers/{created}/stop?t=0")[0] == 204
        assert engine.request("POST", f"/v1.47/containers/{created}/stop?t=0")[0] == 304
        assert engine.request("POST", f"/v1.47/containers/{created}/kill")[0] == 409
        assert engine.request("POST", f"/v1.47/containers/{created}/unpause")[0] == 409
        assert engine.request("POST", f"/v1.47/containers/{created}/wait?condition=x")[0] == 400
        assert engine.request("GET", f"/v1.47/containers/{created[:5]}/json?size=1")[0] == 200
        assert engine.request("DELETE", f"/v1.47/containers/{created}?link=1")[0] == 400
    finally:
        engine.remove_containers()
