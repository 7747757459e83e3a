"""docs/ci.md, followed: the robot made as it says, each job run against a live server, the secret changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.accounts.clients import client_of, config_of, judge_of
from tests.e2e.accounts.world import MOORAGE, Accounts, SignIn, Site
from tests.e2e.clients import CraneClient
from tests.parts.commands import CommandFailed, run
from tests.parts.guides import read_guide
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

GUIDE = read_guide("ci.md")
EXAMPLE = "registry.example:5000"
FILE = "FROM {host}/acme/app:1\nLABEL job=yes\n"


def administer(accounts: Accounts, commands: str, **variables: str) -> str:
    """Type administration commands on the registry's machine."""
    environment = {
        "MOORAGE_STORAGE__PATH": str(accounts.data),
        "PATH": f"{MOORAGE.parent}:{os.environ['PATH']}",
        **variables,
    }
    return run("sh", "-ec", commands, environment=environment)


@pytest.fixture(scope="module")
def robot(plain: Site) -> SignIn:
    """The robot that the guide makes; acme+ci is there already."""
    made, person = GUIDE.commands("A robot")
    made = made.replace("acme+ci", "acme+pipeline")
    secret = administer(plain.accounts, made).splitlines()[-1]
    assert secret.startswith("mrg_rob_")
    assert administer(plain.accounts, person).splitlines()[-1].startswith("mrg_pat_")
    return SignIn("acme+pipeline", secret)


@pytest.fixture
def judge(plain: Site, tmp_path_factory: pytest.TempPathFactory) -> CraneClient:
    """Who looks into the registry, with a login of their own."""
    return judge_of(plain, tmp_path_factory.mktemp("judge"))


@pytest.fixture
def variables(plain: Site, robot: SignIn, tmp_path: Path) -> dict[str, str]:
    """What the CI gives a job."""
    config = config_of(tmp_path)
    (tmp_path / "Dockerfile").write_text(FILE.format(host=plain.host))
    return {
        "REGISTRY": plain.host,
        "REGISTRY_USER": robot.name,
        "REGISTRY_SECRET": robot.secret,
        "DOCKER_HOST": plain.docker.address,
        "DOCKER_CONFIG": str(config),
        "DOCKER_BUILDKIT": "0",
    }


def run_job(site: Site, commands: str, variables: Mapping[str, str], directory: Path) -> str:
    """Run a job's commands as a CI does, in the checked out directory."""
    return run("bash", "-eo", "pipefail", "-c", commands, environment=variables, cwd=directory)


def local(text: str, site: Site) -> str:
    """The guide's text, for the registry of this test."""
    return text.replace(EXAMPLE, site.host)


def expanded(value: str, variables: Mapping[str, str]) -> str:
    """A value as the CI fills it in: ${{ secrets.NAME }} or $NAME."""
    value = re.sub(r"\$\{\{ (?:vars|secrets|github)\.(\w+) \}\}", lambda match: variables[match[1]], value)
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], value)


def signed_out(variables: Mapping[str, str]) -> bool:
    """Whether the job's login is gone."""
    file = Path(variables["DOCKER_CONFIG"]) / "config.json"
    return not file.exists() or not json.loads(file.read_text()).get("auths")


def test_the_shell_job(plain: Site, variables: dict[str, str], judge: CraneClient, tmp_path: Path) -> None:
    (job,) = GUIDE.commands("Any shell, such as Jenkins")
    said = run_job(plain, job, {**variables, "COMMIT": "shell"}, tmp_path)
    assert "Login Succeeded" in said
    judge.crane("digest", f"{plain.host}/acme/app:shell")
    assert signed_out(variables)


def test_the_shell_job_shows_no_secret(plain: Site, variables: dict[str, str], tmp_path: Path) -> None:
    (job,) = GUIDE.commands("Any shell, such as Jenkins")
    said = run_job(plain, f"set -x; exec 2>&1\n{job}", {**variables, "COMMIT": "traced"}, tmp_path)
    assert variables["REGISTRY_SECRET"] not in said


def test_github_actions(plain: Site, variables: dict[str, str], judge: CraneClient, tmp_path: Path) -> None:
    (text,) = GUIDE.files("GitHub Actions").values()
    workflow = yaml.safe_load(local(text, plain))
    given = {**variables, "sha": "github"}
    shared = {name: expanded(value, given) for name, value in workflow["env"].items()}
    for step in workflow["jobs"]["image"]["steps"]:
        if "run" in step:
            own = {name: expanded(value, given) for name, value in step.get("env", {}).items()}
            without = {**variables, "REGISTRY_SECRET": ""}
            run_job(plain, step["run"], {**without, **shared, **own}, tmp_path)
    judge.crane("digest", f"{plain.host}/acme/app:github")
    assert signed_out(variables)


def test_gitlab_ci(plain: Site, variables: dict[str, str], judge: CraneClient, tmp_path: Path) -> None:
    (text,) = GUIDE.files("GitLab CI").values()
    job = yaml.safe_load(local(text, plain))["image"]
    given = {**variables, "CI_COMMIT_SHA": "gitlab"}
    shared = {name: expanded(value, given) for name, value in job["variables"].items()}
    for part in ("before_script", "script", "after_script"):
        run_job(plain, "\n".join(job[part]), {**given, **shared}, tmp_path)
    judge.crane("digest", f"{plain.host}/acme/app:gitlab")
    assert signed_out(variables)


def test_the_file_that_kaniko_reads(plain: Site, variables: dict[str, str], judge: CraneClient, tmp_path: Path) -> None:
    """crane's library is kaniko's."""
    write, _ = GUIDE.commands("kaniko, BuildKit and others that read a file")
    config = tmp_path / "kaniko"
    run_job(plain, write, {**variables, "DOCKER_CONFIG": str(config)}, tmp_path)
    crane = plain.program(require("crane"), {"DOCKER_CONFIG": str(config)})
    crane("copy", f"{plain.host}/acme/app:1", f"{plain.host}/acme/app:kaniko")
    judge.crane("digest", f"{plain.host}/acme/app:kaniko")


def test_buildctl(secure: Site, buildkitd: str, tmp_path: Path) -> None:
    write, build = GUIDE.commands("kaniko, BuildKit and others that read a file")
    (tmp_path / "Dockerfile").write_text(FILE.format(host=secure.host))
    robot = secure.accounts.secrets["robot"]
    environment = {
        "REGISTRY": secure.host,
        "REGISTRY_USER": robot.name,
        "REGISTRY_SECRET": robot.secret,
        "DOCKER_CONFIG": str(tmp_path / "buildkit"),
        "COMMIT": "buildctl",
        **secure.trust,
        "BUILDKIT_HOST": buildkitd,
        "PATH": f"{Path(require('buildctl')).parent}:{os.environ['PATH']}",
    }
    run(*secure.launcher, "sh", "-ec", f"cd {tmp_path}\n{write}\n{build}", environment=environment)
    assert judge_of(secure, tmp_path).crane("digest", f"{secure.host}/acme/app:buildctl").startswith("sha256:")


def test_the_secret_is_changed_while_both_are_good(plain: Site, tmp_path: Path) -> None:
    another, revoke = (text.replace("acme+ci", "acme+turning") for text in GUIDE.commands("Change the secret"))
    plain.accounts.moorage("robot", "add", "acme+turning")
    first = plain.accounts.token("acme+turning")
    (old,) = json.loads(plain.accounts.moorage("token", "list", first.name, "--json"))
    following = SignIn(first.name, administer(plain.accounts, another).splitlines()[-1])
    docker = client_of("docker", plain, tmp_path)
    for who in (first, following):
        docker.login(who.name, who.secret)
    administer(plain.accounts, revoke, OLD_ID=old["id"])
    docker.login(following.name, following.secret)
    with pytest.raises(CommandFailed, match="was revoked"):
        docker.login(first.name, first.secret)


def test_a_leaked_secret_is_revoked_by_itself(plain: Site, tmp_path: Path) -> None:
    assert "`moorage token revoke` takes the secret itself in the id's place" in GUIDE.text.replace("\n", " ")
    leaked = plain.accounts.token("ada")
    plain.accounts.moorage("token", "revoke", leaked.secret)
    with pytest.raises(CommandFailed, match="was revoked"):
        client_of("docker", plain, tmp_path).login(leaked.name, leaked.secret)
