"""Bodies of POST /networks/create and port settings: what they mean, and what cannot be meant. Pure."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from runtime.errors import BadParameter, EngineError, Forbidden, NotFound
from runtime.networks import addressing, firewall, specification
from runtime.networks.model import Network, PortWish, Published, Sandbox
from runtime.networks.ports import EVERYWHERE, HostPorts, PortTaken, wishes

POOL = IPv4Network("10.201.0.0/16")


def made(body: dict[str, Any], *taken: str) -> Network:
    return specification.wanted(body, POOL, [IPv4Network(each) for each in taken])


def config(**fields: str) -> dict[str, Any]:
    return {"Name": "mine", "IPAM": {"Config": [fields]}}


def test_a_plain_network_gets_the_first_free_subnet() -> None:
    network = made({"Name": "mine"}, "10.201.0.0/24", "10.201.1.0/25")
    assert (str(network.subnet), str(network.gateway)) == ("10.201.2.0/24", "10.201.2.1")
    assert network.bridge == f"moor-{network.id[:10]}" and len(network.bridge) == 15
    assert Network.of(network.record()) == network


def test_a_full_pool_is_said() -> None:
    with pytest.raises(EngineError, match="all predefined address pools have been fully subnetted"):
        made({"Name": "mine"}, "10.0.0.0/8")


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "../x", "a/b", "x\n", "x\0", '"; flush ruleset; "', "-rf", ".", "ä", "x" * 256, 7, None, ["x"]],
)
def test_hostile_names_are_refused(name: object) -> None:
    with pytest.raises(BadParameter):
        made({"Name": name})


@pytest.mark.parametrize("name", ["bridge", "host", "none", "default"])
def test_fixed_names_are_refused(name: str) -> None:
    with pytest.raises(Forbidden, match=f"operation is not permitted on predefined {name} network"):
        made({"Name": name})


@pytest.mark.parametrize(
    "body",
    [
        config(Subnet="10.0.0.0/33"),
        config(Subnet="10.0.0.1/24"),
        config(Subnet="127.0.0.0/8"),
        config(Subnet="224.0.0.0/8"),
        config(Subnet="10.0.0.0/31"),
        config(Subnet="0.0.0.0/0"),
        config(Subnet="2001:db8::/64"),
        config(Subnet="10.0.0.0/24 } flush ruleset"),
        config(Subnet="10.0.0.0/24", Gateway="10.0.1.1"),
        config(Subnet="10.0.0.0/24", Gateway="10.0.0.255"),
        config(Subnet="10.0.0.0/24", IPRange="10.0.1.0/25"),
        config(Gateway="10.0.0.1"),
        {"Name": "mine", "IPAM": {"Config": [{}, {}]}},
        {"Name": "mine", "IPAM": {"Config": "x"}},
        {"Name": "mine", "IPAM": {"Driver": "dhcp"}},
        {"Name": "mine", "IPAM": []},
        {"Name": "mine", "Labels": {"a": 1}},
        {"Name": "mine", "EnableIPv6": True},
        {"Name": "mine", "Options": {specification.BRIDGE_NAME: "../../x"}},
        {"Name": "mine", "Options": {specification.BRIDGE_NAME: 'a" drop'}},
        {"Name": "mine", "Options": {specification.BRIDGE_NAME: "x" * 16}},
        {"Name": "mine", "Options": {specification.MTU: "9" * 30}},
    ],
)
def test_bodies_that_mean_nothing_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        made({**body} if body["Name"] != "mine" or body.get("IPAM") != [] else {"Name": "mine", "IPAM": ["x"]})


def test_drivers_that_are_not_here_are_refused() -> None:
    with pytest.raises(NotFound, match="could not find plugin overlay"):
        made({"Name": "mine", "Driver": "overlay"})
    with pytest.raises(Forbidden, match='only one instance of "host" network is allowed'):
        made({"Name": "mine", "Driver": "host"})


def test_ports_as_docker_writes_them() -> None:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "::1", "HostPort": ""}],
                "90": [{"HostIp": "127.0.0.1", "HostPort": "9000-9010"}], "91/tcp": None}  # fmt: skip
    assert wishes(bindings, {"80/tcp": {}, "7/tcp": {}}, publish_all=True) == (
        PortWish(80, "tcp", "", 8080, 8080),
        PortWish(53, "udp", "::1"),
        PortWish(90, "tcp", "127.0.0.1", 9000, 9010),
        PortWish(91, "tcp"),
        PortWish(7, "tcp"),
    )


@pytest.mark.parametrize(
    ("port", "host", "address"),
    [("0/tcp", "1", ""), ("65536", "1", ""), ("-1", "1", ""), ("x", "1", ""), ("80/icmp", "1", ""), ("80", "9-8", ""),
     ("80", "70000", ""), ("80", "x", ""), ("80", "1-2-3", ""), ("80", "1", "localhost"), ("80", "1", "1.2.3.4 }"),
     ("٣", "1", ""), ("80", "1e3", "")],
)  # fmt: skip
def test_ports_that_cannot_be_are_refused(port: str, host: str, address: str) -> None:
    with pytest.raises(BadParameter):
        wishes({port: [{"HostIp": address, "HostPort": host}]}, {}, publish_all=False)


class Doors:
    """A host of which some ports are taken."""

    def __init__(self, *taken: int) -> None:
        self.open_now: set[tuple[str, str, int]] = set()
        self._taken = taken

    def open(self, protocol: str, host: str, port: int) -> None:
        if port in self._taken and host == "::":
            raise OSError(98, "Address already in use")
        self.open_now.add((protocol, host, port))

    def close(self, protocol: str, host: str, port: int) -> None:
        self.open_now.discard((protocol, host, port))


def test_a_port_that_fails_half_way_is_closed_again() -> None:
    ports, doors = HostPorts((9000, 9001)), Doors(8080, 9000)
    with pytest.raises(PortTaken, match=r"failed to bind host port \[::\]:8080/tcp: address already in use"):
        ports.take(PortWish(80, "tcp", "", 8080, 8080), doors)
    assert doors.open_now == set()
    assert ports.take(PortWish(80, "tcp"), doors) == Published(80, "tcp", 9001, EVERYWHERE)
    assert {each[2] for each in doors.open_now} == {9001}


@pytest.mark.parametrize(
    ("first", "second", "collide"),
    [("", "", True), ("", "127.0.0.1", True), ("127.0.0.1", "", True), ("127.0.0.1", "127.0.0.2", False),
     ("127.0.0.1", "::1", False), ("::", "0.0.0.0", False), ("::1", "::", True)],
)  # fmt: skip
def test_addresses_that_overlap_collide(first: str, second: str, collide: bool) -> None:
    ports, doors = HostPorts(), Doors()
    published = ports.take(PortWish(80, "tcp", first, 8080, 8080), doors)
    if collide:
        with pytest.raises(PortTaken, match="port is already allocated"):
            ports.take(PortWish(80, "tcp", second, 8080, 8080), doors)
        ports.give_back(published)
    assert ports.take(PortWish(80, "tcp", second, 8080, 8080), doors).host_port == 8080


@pytest.mark.parametrize(
    "text", ["", "02:00:00:00:00", "02-00:00:00:00:00x", "01:00:5e:00:00:01", "00:00:00:00:00:00", "zz:00:00:00:00:01"]
)
def test_hardware_addresses_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        addressing.wished_hardware_address(text)


def test_a_loopback_port_is_no_rule() -> None:
    network = specification.fixed("bridge", POOL, [], "moor0")
    forward = firewall.Forward("tcp", "127.0.0.1", 8080, network.gateway, 80)
    assert "8080" not in firewall.text([network], [forward])


def test_a_damaged_sandbox_is_a_value_error() -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Sandbox.of({"owner": {"id": "x"}, "endpoints": []})
