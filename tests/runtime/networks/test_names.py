"""Containers are found by name: by the bridge's name server while a daemon lives, by /etc/hosts always."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import dnslib
import pytest

from runtime.errors import BadParameter
from runtime.networks import networks as service
from runtime.networks.model import EndpointWish, Owner
from tests.parts.netns import Namespace
from tests.runtime.networks.boxes import Box, Place

pytestmark = pytest.mark.e2e


def resolve(box: Box, server: str, name: str, kind: str = "A", *, tcp: bool = False) -> tuple[str, list[str]]:
    """Ask a name server; the answer's code and its values."""
    question = dnslib.DNSRecord.question(name, kind)
    sent = box.inside(lambda: question.send(server, 53, tcp=tcp, timeout=10))
    found = dnslib.DNSRecord.parse(sent)
    assert found.header.id == question.header.id
    return dnslib.RCODE[found.header.rcode], [str(each.rdata) for each in found.rr]


@contextmanager
def upstream(namespace: Namespace) -> Iterator[list[str]]:
    """A name server on the host that knows `outside.test`; yields the names that were asked for."""
    sock = namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 53))
    asked: list[str] = []

    def serve() -> None:
        while True:
            data, client = sock.recvfrom(4096)
            if not data:
                return
            record = dnslib.DNSRecord.parse(data)
            asked.append(str(record.q.qname))
            answer = record.reply()
            answer.add_answer(dnslib.RR(record.q.qname, rdata=dnslib.A("192.0.2.7")))
            sock.sendto(answer.pack(), client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        with closing(namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))) as last:
            last.sendto(b"", ("127.0.0.1", 53))
        thread.join()
        sock.close()


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A host whose name server is on its loopback, as systemd-resolved's is."""
    path = tmp_path_factory.mktemp("etc") / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nsearch example.test\noptions ndots:1\nsortlist 1.2.3.4\n")
    monkeypatch.setattr(service, "RESOLV", path)


def test_names_aliases_and_addresses(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    one = place.plugged("one", network="mine")
    two = place.plugged("two", network="mine", wish=EndpointWish(aliases=("db", "DB2")))
    server, address = str(place.networks.get("mine").gateway), place.address(two, "mine")
    for name in ("two", "TWO", "db", "db2", two.id[:12], "host-two", "two.mine"):
        assert resolve(one, server, name) == ("NOERROR", [address]), name
        assert resolve(one, server, name, tcp=True) == ("NOERROR", [address]), name
    assert resolve(one, server, "two", "AAAA") == ("NOERROR", [])
    pointer = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    assert resolve(one, server, pointer, "PTR") == ("NOERROR", ["two."])
    assert f"nameserver {server}" in place.networks.resolv(one.id)
    assert f"{address}\ttwo db DB2" in place.networks.hosts(one.id)
    place.do(lambda: place.networks.rename(two.id, "three"))
    assert resolve(one, server, "three") == ("NOERROR", [address])
    place.unplug(two)
    assert "three" not in place.networks.hosts(one.id)


def test_one_alias_of_many_gives_all_addresses(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    web = [place.plugged(f"web-{n}", network="mine", wish=EndpointWish(aliases=("web",))) for n in range(3)]
    _, found = resolve(web[0], str(place.networks.get("mine").gateway), "web")
    assert sorted(found) == sorted(place.address(box, "mine") for box in web)


@pytest.mark.usefixtures("loopback_only")
def test_the_rest_is_asked_of_the_hosts_servers(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    place.do(lambda: place.networks.create({"Name": "closed", "Internal": True}))
    one, plain = place.plugged("one", network="mine"), place.plugged("two")
    shut = place.plugged("three", network="closed")
    with upstream(place.namespace) as asked:
        for box, network in ((one, "mine"), (plain, "bridge")):
            server = str(place.networks.get(network).gateway)
            assert resolve(box, server, "outside.test") == ("NOERROR", ["192.0.2.7"])
            assert place.networks.resolv(box.id) == f"nameserver {server}\nsearch example.test\noptions ndots:1\n"
        assert resolve(shut, str(place.networks.get("closed").gateway), "secret.test") == ("SERVFAIL", [])
        assert resolve(plain, str(place.networks.get("bridge").gateway), "one") == ("NOERROR", ["192.0.2.7"])
        assert "secret.test." not in asked, "an internal network tells nothing to the outside"


def test_names_of_other_networks_are_not_told(place: Place) -> None:
    for name in ("mine", "other"):
        place.do(lambda name=name: place.networks.create({"Name": name, "Internal": True}))  # type: ignore[misc]
    place.plugged("one", network="mine")
    two = place.plugged("two", network="other")
    for network in ("mine", "other"):
        assert resolve(two, str(place.networks.get("other").gateway), "one") == ("SERVFAIL", []), network
    assert "one" not in place.networks.hosts(two.id).replace("localhost", "")


def test_what_is_no_question_is_not_answered(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    one = place.plugged("one", network="mine")
    server = str(place.networks.get("mine").gateway)
    loop = bytes.fromhex("0001010000010000000000000000") + b"\xc0\x0c" + b"\0\1\0\1"

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for junk in (b"", b"\0" * 3, loop, b"\xff" * 512, dnslib.DNSRecord.question("x").reply().pack()):
                sock.sendto(junk, (server, 53))
        with socket.create_connection((server, 53), 5) as stream:
            stream.sendall(b"\xff\xff" + b"x" * 10)

    one.inside(send)
    assert resolve(one, server, "one") == ("NOERROR", [place.address(one, "mine")])


def test_names_cannot_write_lines_of_their_own(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    for alias in ("a b", "a\n10.0.0.1 bank", "", "x" * 300, "-a", "ä"):
        with pytest.raises(BadParameter, match="invalid network alias"):
            place.plugged("one", network="mine", wish=EndpointWish(aliases=(alias,)))
    owner = Owner("e" * 64, "two", "evil\n10.0.0.1 bank")
    place.do(lambda: place.networks.allocate(owner, {"mine": EndpointWish()}))
    assert "bank" not in place.networks.hosts("e" * 64)
