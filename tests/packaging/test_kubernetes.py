"""The kustomizations as kubectl renders them: valid to the letter, restricted, stopped no sooner than the server is.

No cluster is here: nothing of this has been started by Kubernetes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry import __version__
from registry.serving.supervisor import GRACE
from registry.settings import Settings
from registry.settings.sources import load
from tests.packaging.composed import DEPLOY, make_secrets
from tests.parts.commands import run
from tests.parts.guides import read_guide
from tests.parts.server import clean_environment
from tests.parts.tools import TOOLS, require

HERE = DEPLOY / "kubernetes"
OVERLAYS = ("base", "single")
BESIDE = ("secret.yaml", "ingress.yaml", "networkpolicy.yaml")
SECRETS = "/run/secrets/moorage"
Object = Mapping[str, Any]


@pytest.fixture(scope="module", params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> dict[str, Object]:
    """What `kubectl apply -k` would send, by kind."""
    text = run(require("kubectl"), "kustomize", HERE / request.param)
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    return {"overlay": {"name": request.param, "text": text}, **found}


@pytest.fixture
def pod(rendered: Mapping[str, Object]) -> dict[str, Any]:
    """The pod's specification."""
    return dict(rendered["Deployment"]["spec"]["template"]["spec"])


@pytest.fixture
def container(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Its one container."""
    (only,) = pod["containers"]
    return dict(only)


def beside(name: str) -> dict[str, Any]:
    """A file that is to be filled in."""
    return dict(yaml.safe_load((HERE / name).read_text(encoding="utf-8")))


@pytest.fixture
def settings(
    rendered: Mapping[str, Object], container: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """What the server reads in the pod. Secrets are the template's."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    for name, value in beside("secret.yaml")["stringData"].items():
        (tmp_path / name).write_text(value)
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"].replace(SECRETS, str(tmp_path)))
    (file,) = rendered["ConfigMap"]["data"]
    (tmp_path / file).write_text(rendered["ConfigMap"]["data"][file])
    found, _ = load(tmp_path / file)
    yield found


def test_it_is_what_kubernetes_expects(rendered: Mapping[str, Object], tmp_path: Path) -> None:
    """Unknown fields are errors, as they are to `kubectl apply`."""
    file = tmp_path / "rendered.yaml"
    file.write_text(rendered["overlay"]["text"])
    said = validated(file)
    assert said.count("passed") == len(rendered) - 1, said


def test_what_is_to_be_filled_in_is_too() -> None:
    assert validated(*(HERE / name for name in BESIDE)).count("passed") == len(BESIDE)


def validated(*files: Path) -> str:
    """What the validator says of each document; raises CommandFailed with its mistakes."""
    program = require("kubernetes-validate")
    return run(
        "sh", "-c", 'exec "$@" 2>&1', "sh", program, "--strict", *files, environment={"PYTHONPATH": str(TOOLS / "pip")}
    )


def test_the_settings_are_settings(rendered: Mapping[str, Object], settings: Settings) -> None:
    if rendered["overlay"]["name"] == "single":
        assert (settings.storage.driver, settings.database.url) == ("files", None)
    else:
        assert settings.storage.driver == "s3"
        assert (settings.database.url or "").startswith("postgresql://")
        assert settings.secrets.master_key is not None
    assert settings.server.public_url == "https://registry.example"


def test_the_server_finds_its_files(rendered: Mapping[str, Object], pod: Mapping[str, Any], container: Object) -> None:
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert len(mounts) == len(volumes)
    assert mounts["/etc/moorage"]["configMap"]["name"] == rendered["ConfigMap"]["metadata"]["name"]
    assert container["args"] == ["--config", f"/etc/moorage/{next(iter(rendered['ConfigMap']['data']))}"]
    files = {variable["value"] for variable in container["env"] if variable["name"].endswith("_FILE")}
    secret = beside("secret.yaml")
    if rendered["overlay"]["name"] == "single":
        assert (files, SECRETS in mounts) == (set(), False)
        claim = mounts["/var/lib/moorage"]["persistentVolumeClaim"]["claimName"]
        assert claim == rendered["PersistentVolumeClaim"]["metadata"]["name"]
    else:
        assert files == {f"{SECRETS}/{name}" for name in secret["stringData"]}
        assert mounts[SECRETS]["secret"]["secretName"] == secret["metadata"]["name"]


def test_the_script_makes_the_secret_s_values(tmp_path: Path) -> None:
    made = {path.name for path in make_secrets(tmp_path).iterdir()}
    assert made >= set(beside("secret.yaml")["stringData"])


def test_no_secret_is_shipped() -> None:
    assert all("CHANGE-ME" in value for value in beside("secret.yaml")["stringData"].values())


def test_probes_ask_what_they_are_for(container: Mapping[str, Any]) -> None:
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 5000}


def test_a_pod_has_the_time_that_its_drain_takes(
    pod: Mapping[str, Any], container: Mapping[str, Any], settings: Settings
) -> None:
    (program, before) = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    needed = timedelta(seconds=int(before) + 2 * GRACE) + settings.server.drain_timeout
    assert timedelta(seconds=pod["terminationGracePeriodSeconds"]) >= needed + timedelta(seconds=10)
    probe = container["readinessProbe"]
    assert int(before) >= probe["periodSeconds"] * probe["failureThreshold"]


def test_it_is_of_the_restricted_profile(pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    """Pod Security Standards, "Restricted", and the image's own user; besides, no token of the cluster's."""
    whole, own = pod["securityContext"], container["securityContext"]
    assert whole["runAsNonRoot"] is True
    assert (whole["runAsUser"], whole["runAsGroup"], whole["fsGroup"]) == (10001, 10001, 10001)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    allowed = {"name", "configMap", "emptyDir", "secret", "persistentVolumeClaim"}
    assert {key for volume in pod["volumes"] for key in volume} <= allowed
    assert pod["automountServiceAccountToken"] is False


def test_a_replica_serves_before_another_goes(rendered: Mapping[str, Object]) -> None:
    spec = rendered["Deployment"]["spec"]
    if rendered["overlay"]["name"] == "single":
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    else:
        assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    assert rendered["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_all_of_it_is_about_the_same_pods(rendered: Mapping[str, Object], container: Mapping[str, Any]) -> None:
    labels = rendered["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        rendered["Deployment"]["spec"]["selector"]["matchLabels"],
        rendered["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        rendered["Service"]["spec"]["selector"],
        beside("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector == labels
    service = rendered["Service"]
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] in {named["name"] for named in container["ports"]}
    (rule,) = beside("ingress.yaml")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}


def test_the_image_is_this_version_s(container: Mapping[str, Any]) -> None:
    assert container["image"] == f"moorage:{__version__}"


def test_a_kustomization_of_one_s_own_is_as_the_guide_says(tmp_path: Path) -> None:
    guide = read_guide("running-on-kubernetes.md")
    own = guide.files("Replicas")["kustomization.yaml"]
    (tmp_path / "kustomization.yaml").write_text(own.replace("path/to", os.path.relpath(HERE.parents[1], tmp_path)))
    shutil.copy(HERE / "ingress.yaml", tmp_path)
    (tmp_path / "moorage.toml").write_text('[server]\npublic_url = "https://mine.example"\n')
    objects = list(yaml.safe_load_all(run(require("kubectl"), "kustomize", tmp_path)))
    found = {made["kind"]: made for made in objects}
    assert {made["metadata"]["namespace"] for made in objects} == {"moorage"}
    assert "mine.example" in found["ConfigMap"]["data"]["moorage.toml"]
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"images.example/moorage:{__version__}"
    assert "Ingress" in found
