"""Every client signs in with a password, a token and a robot's secret, on plain loopback and over TLS."""

from __future__ import annotations

import re

import pytest

from tests.e2e.accounts.clients import NAMES
from tests.e2e.accounts.conftest import Make
from tests.e2e.accounts.world import Site
from tests.e2e.clients import CraneClient
from tests.parts.commands import CommandFailed

pytestmark = pytest.mark.e2e

# ctr 1.6 says "closed pipe" where the answer comes before it has sent all.
REFUSED = re.compile(r"denied|unauthorized|insufficient_scope|closed pipe", re.IGNORECASE)


@pytest.mark.parametrize("credential", ["password", "pat", "robot"])
@pytest.mark.parametrize("name", NAMES)
def test_login_push_pull_logout(name: str, credential: str, client: Make, judge: CraneClient, site: Site) -> None:
    program, who = client(name), site.accounts.secrets[credential]
    reference = f"{site.host}/acme/{name}-{credential}:1"
    program.login(who.name, who.secret)
    program.push(reference)
    assert program.pull(reference) == judge.crane("digest", reference)
    program.logout()
    with pytest.raises(CommandFailed, match=REFUSED):
        program.push(reference)
    with pytest.raises(CommandFailed, match=REFUSED):
        program.pull(reference)


@pytest.mark.parametrize("name", NAMES)
def test_anonymous_pull_beside_signed_in_push(name: str, client: Make, judge: CraneClient, site: Site) -> None:
    """The public repository is pulled by who is not signed in, and pushed to by who is, on the same host name."""
    program, who = client(name), site.accounts.secrets["robot"]
    assert program.pull(f"{site.host}/acme/open:1") == site.samples.digests["busybox"]
    with pytest.raises(CommandFailed, match=REFUSED):
        program.push(f"{site.host}/acme/open:{name}")
    program.login(who.name, who.secret)
    program.push(f"{site.host}/acme/open:{name}")
    program.logout()
    assert program.pull(f"{site.host}/acme/open:{name}") == judge.crane("digest", f"{site.host}/acme/open:{name}")
