"""The tour itself: build, push, search, pull, run, look, enter, stop, remove; in the order that a user meets them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts.server import ADMIN_PASSWORD, free_port
from tests.runtime.tour.clients import Client
from tests.runtime.tour.conftest import BUSYBOX, SERVICE, Place

pytestmark = pytest.mark.e2e

WITHIN = 30.0
DOCKERFILE = f"""\
FROM {SERVICE}
ARG GREETING=none
RUN echo "$GREETING" > /usr/share/nginx/html/index.html
ENV PATH=/usr/sbin:/usr/bin TOUR=yes
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
"""


def test_the_whole_tour(client: Client, place: Place, tmp_path: Path) -> None:
    image = f"{place.registry.host}/{client.name}/nginx:1"
    both_sides(client)
    logins(client, place)
    built_and_pushed(client, image, tmp_path)
    found_and_pulled_again(client, place, image)
    name, port = f"web-{client.name}", free_port()
    runs_and_serves(client, place, image, name, port)
    entered_on_a_terminal(client, name)
    stopped_and_removed(client, name)
    client.ok("rmi", image)


def both_sides(client: Client) -> None:
    """version, info, network ls."""
    said = client.ok("version")
    assert "Client:" in said and "Server:" in said and "1.47" in said
    said = client.ok("info")
    assert "Storage Driver: overlay" in said and "Server Version:" in said
    listed = client.ok("network", "ls").splitlines()
    assert listed[0].split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert {"bridge", "host", "none"} <= {line.split()[1] for line in listed[1:]}


def logins(client: Client, place: Place) -> None:
    """login with a wrong password, logout, login with the right one by standard input."""
    host = place.registry.host
    done = client("login", "-u", "admin", "--password-stdin", host, stdin="wrong\n")
    assert done.status == 1 and "unauthorized" in done.err.lower() and "Login Succeeded" not in done.out
    assert "Login Succeeded" in client.ok("login", "-u", "admin", "--password-stdin", host, stdin=ADMIN_PASSWORD)
    assert f"Removing login credentials for {host}" in client.ok("logout", host)
    client.ok("login", "-u", "admin", "--password-stdin", host, stdin=f"{ADMIN_PASSWORD}\n")


def built_and_pushed(client: Client, image: str, tmp_path: Path) -> None:
    """build, images, history, push."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    said = client.ok("build", "-t", image, "--build-arg", f"GREETING=hello from {client.name}", context)
    assert "Successfully built" in said and "Successfully tagged" in said
    (line,) = client.ok("images", f"{client.name}/nginx:1").splitlines()[1:]
    assert line.startswith(f"{client.name}/nginx ")  # the engine's own registry is not written out
    assert "EXPOSE" in client.ok("history", "--no-trunc", image)
    assert "digest: sha256:" in client.ok("push", image)


def found_and_pulled_again(client: Client, place: Place, image: str) -> None:
    """search, rmi, pull without and with a login, inspect."""
    assert f"{client.name}/nginx" in client.ok("search", f"{place.registry.host}/{client.name}")
    client.ok("rmi", image)
    assert "No such image" in client.refused("rmi", image)
    client.ok("logout", place.registry.host)
    said = client.refused("pull", image)
    assert "unauthorized" in said.lower() or "denied" in said.lower()
    client.ok("login", "-u", "admin", "--password-stdin", place.registry.host, stdin=ADMIN_PASSWORD)
    said = client.ok("pull", image)
    assert "Status: Downloaded newer image for" in said and "Digest: sha256:" in said
    assert "Image is up to date" in client.ok("pull", image)
    assert client.ok("inspect", "-f", "{{json .Config.ExposedPorts}} {{.Os}}", image) == '{"80/tcp":{}} linux'
    assert "manifest unknown" in client.refused("pull", f"{image}-nosuch")


def runs_and_serves(client: Client, place: Place, image: str, name: str, port: int) -> None:
    """run -it -d with a published port, ps, port, logs, top, stats."""
    identifier = client.ok("run", "-it", "-d", "--name", name, "-p", f"{port}:80", image)
    assert len(identifier) == 64
    assert fetched(place, port) == f"hello from {client.name}\n"
    header, *lines = client.ok("ps").splitlines()
    assert header.split()[:2] == ["CONTAINER", "ID"]
    (line,) = [line for line in lines if line.endswith(name)]
    assert line.startswith(identifier[:12]) and f"0.0.0.0:{port}->80/tcp" in line
    assert f"0.0.0.0:{port}" in client.ok("port", name, "80")
    assert '"GET / HTTP/1.0" 200' in client.ok("logs", name)
    assert "nginx: worker process" in client.ok("top", name)
    assert name in client.ok("stats", "--no-stream", name)
    assert "port is already allocated" in client.refused("run", "-d", "-p", f"{port}:80", image, status=125)
    assert "is already in use by container" in client.refused("run", "-d", "--name", name, image, status=125)
    left = client.ok("ps", "-aq", "--filter", "status=created")
    client.ok("rm", *left.split())


def entered_on_a_terminal(client: Client, name: str) -> None:
    """exec -it NAME bash, then ls and exit."""
    with client.terminal("exec", "-it", name, "bash") as terminal:
        terminal.expect("# ")
        terminal.type("ls /usr/share/nginx/html\r")
        terminal.expect("index.html")
        terminal.expect("# ")
        terminal.type("echo $TOUR; exit 3\r")
        terminal.expect("yes")
        assert terminal.wait() == 3
    assert client.ok("exec", name, "cat", "/usr/share/nginx/html/index.html") == f"hello from {client.name}"
    done = client("exec", name, "nosuch")
    assert done.status in {126, 127} and "executable file not found" in done.out + done.err


def stopped_and_removed(client: Client, name: str) -> None:
    """rm of what runs, stop, ps -a, rm."""
    said = client.refused("rm", name)
    assert "container is running" in said or "You cannot remove a running container" in said
    assert client.ok("stop", name) == name
    assert name not in client.ok("ps")
    (line,) = [line for line in client.ok("ps", "-a").splitlines() if line.endswith(name)]
    assert "Exited (0)" in line
    assert client.ok("rm", name) == name
    assert "No such container" in client.refused("logs", name)


def fetched(place: Place, port: int) -> str:
    """The body of GET / on a published port, asked for from the engine's own machine; nginx may still be starting."""
    limit = time.monotonic() + WITHIN
    while True:
        with suppress(OSError), place.namespace.connect(port) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            if answer:
                return answer.partition(b"\r\n\r\n")[2].decode()
        assert time.monotonic() < limit, f"nothing answers on port {port}"
        time.sleep(0.05)


def test_short_names_are_the_default_registrys(place: Place, tmp_path: Path) -> None:
    moor = next_client(place, tmp_path)
    moor.ok("login", "-u", "admin", "--password-stdin", stdin=ADMIN_PASSWORD)
    moor.ok("tag", BUSYBOX, "shorty:1")
    assert "digest: sha256:" in moor.ok("push", "shorty:1")
    moor.ok("rmi", "shorty:1")
    assert moor.ok("pull", "-q", "shorty:1") == "shorty:1"
    assert moor.ok("images", "-q", "shorty")
    assert moor.ok("run", "--rm", "--network", "none", "shorty:1", "echo", "hi") == "hi"
    assert "Removing login credentials for" in moor.ok("logout")


def next_client(place: Place, directory: Path) -> Client:
    """`moor` with logins of its own."""
    from tests.runtime.tour.clients import client_of

    return client_of("moor", place.engine, directory / "config")
