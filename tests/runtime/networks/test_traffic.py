"""Who reaches whom: containers, the host, machines outside; through bridges, published ports and neither."""

import socket
from pathlib import Path

import pytest

from runtime.errors import EngineError
from runtime.networks.model import PortWish
from tests.parts.commands import run
from tests.parts.netns import Namespace
from tests.parts.tools import require
from tests.runtime.networks.boxes import Place
from tests.runtime.networks.conftest import HOST, OUTSIDE
from tests.runtime.networks.traffic import answering, ask, ask_udp, crafted, reaches

pytestmark = pytest.mark.e2e

WEB = PortWish(80, "tcp", "", 8080, 8080)
DNS = PortWish(80, "udp", "", 8080, 8080)


def test_a_container_reaches_outside_as_the_host(place: Place, outside: Namespace) -> None:
    box = place.plugged("one")
    with answering(outside, 80):
        assert ask(box, OUTSIDE, 80) == HOST
        assert ask_udp(box, OUTSIDE, 80) == HOST


def test_containers_of_one_network_reach_each_other_as_themselves(place: Place) -> None:
    one, two = place.plugged("one"), place.plugged("two")
    with answering(two, 80):
        assert ask(one, place.address(two), 80) == place.address(one)


def test_a_published_port_is_reached_from_everywhere(place: Place, outside: Namespace) -> None:
    box, peer = place.plugged("one", WEB, DNS), place.plugged("two")
    place.networks.create({"Name": "other"})
    stranger = place.plugged("three", network="other")
    with answering(box, 80):
        assert ask(outside, HOST, 8080) == OUTSIDE  # as himself: the container may log and limit by address
        assert ask_udp(outside, HOST, 8080) == OUTSIDE
        for where in (peer, stranger, box, place.namespace):
            assert ask(where, HOST, 8080)
            assert ask_udp(where, HOST, 8080)
        for loopback in ("127.0.0.1", "::1"):
            assert ask(place.namespace, loopback, 8080)
            assert ask_udp(place.namespace, loopback, 8080)
    place.unplug(box)
    with answering(box, 80):
        assert not reaches(outside, HOST, 8080)
        assert not reaches(place.namespace, "127.0.0.1", 8080)


def test_megabytes_and_half_closed_connections_pass_the_loopback(place: Place) -> None:
    box = place.plugged("one", WEB)
    with answering(box, 80):
        assert ask(place.namespace, "127.0.0.1", 8080, said=bytes(range(256)) * 20_000)


def test_what_is_published_on_the_loopback_is_there_alone(place: Place, outside: Namespace) -> None:
    box, peer = place.plugged("one", PortWish(80, "tcp", "127.0.0.1", 8080, 8080)), place.plugged("two")
    with answering(box, 80):
        assert ask(place.namespace, "127.0.0.1", 8080)
        assert not reaches(outside, HOST, 8080)
        assert not reaches(peer, HOST, 8080)


def test_what_is_not_published_is_not_reached_from_outside(place: Place, outside: Namespace) -> None:
    """Not even by a neighbour who routes straight to the bridge's subnet."""
    box = place.plugged("one", WEB)
    run(require("ip"), "-n", outside.name, "route", "add", "10.201.0.0/24", "via", HOST)
    with answering(box, 80), answering(box, 81):
        assert not reaches(outside, place.address(box), 81)
        assert not reaches(outside, place.address(box), 80)


def test_networks_are_kept_apart(place: Place) -> None:
    place.networks.create({"Name": "other"})
    one, two = place.plugged("one"), place.plugged("two", network="other")
    with answering(two, 80), answering(one, 80):
        assert not reaches(one, place.address(two, "other"), 80)
        assert not reaches(two, place.address(one), 80)


def test_an_internal_network_leads_nowhere(place: Place, outside: Namespace) -> None:
    place.networks.create({"Name": "closed", "Internal": True})
    one, two = place.plugged("one", WEB, network="closed"), place.plugged("two", network="closed")
    with answering(outside, 80), answering(one, 80):
        one(require("ip"), "route", "add", "default", "via", str(place.networks.get("closed").gateway))
        assert not reaches(one, OUTSIDE, 80)
        assert ask(two, place.address(one, "closed"), 80)
        assert not reaches(outside, HOST, 8080)


def test_the_hosts_loopback_is_out_of_reach(place: Place) -> None:
    """Packets made by hand, as with NET_RAW, also where another program has opened loopbacks to all (kube-proxy)."""
    box = place.plugged("one", WEB)
    place.do(lambda: Path("/proc/sys/net/ipv4/conf/all/route_localnet").write_text("1"))
    with answering(place.namespace, 9999, "127.0.0.1") as seen:
        counter = ("list", "chain", "ip", "moorage", "early")
        place.namespace(
            require("nft"), "insert", "rule", "ip", "moorage", "early", "ip", "daddr", "127.0.0.1", "counter"
        )
        for port in (9999, 8080):
            crafted(box, place, "127.0.0.1", port)
        box(require("ip"), "route", "add", "127.0.0.2", "via", str(place.networks.get("bridge").gateway))
        assert not reaches(box, "127.0.0.2", 9999)
        ask_udp(place.namespace, "127.0.0.1", 9999)  # whoever came before this one has been seen by now
        assert seen == ["127.0.0.1"]
        assert "counter packets 0 " not in place.namespace(require("nft"), *counter), "the packets never arrived"


def test_a_container_reaches_its_own_port_where_bridges_pass_the_rules(place: Place) -> None:
    """With br_netfilter, as a dockerd turns it on."""
    setting = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not place.do(setting.exists):
        pytest.skip("the kernel has no br_netfilter")
    box, peer = place.plugged("one", WEB), place.plugged("two")
    place.do(lambda: setting.write_text("1"))
    gateway = str(place.networks.get("bridge").gateway)
    with answering(box, 80):
        assert ask(box, gateway, 8080)
        assert ask(peer, gateway, 8080)
        assert ask(peer, place.address(box), 80)


def test_nothing_passes_by_ipv6(place: Place) -> None:
    box = place.plugged("one")
    assert "inet6" not in box(require("ip"), "address", "show", "eth0")
    assert "inet6" not in place.namespace(require("ip"), "address", "show", "moor0")


def test_a_port_of_the_hosts_own_is_refused(place: Place) -> None:
    held = place.do(lambda: socket.create_server(("0.0.0.0", 8080)))
    with (
        held,
        pytest.raises(EngineError, match=r"failed to bind host port 0\.0\.0\.0:8080/tcp: address already in use"),
    ):
        place.plugged("one", WEB)
    assert place.networks.inspect(place.networks.get("bridge"))["Containers"] == {}
