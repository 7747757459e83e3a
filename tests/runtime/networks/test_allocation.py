"""Addresses and ports are given out one by one, whoever asks at the same time; what cannot be is refused."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from runtime.errors import BadParameter, EngineError, Forbidden, NotFound
from runtime.networks.model import EndpointWish, Owner, PortWish
from tests.parts.tools import require
from tests.runtime.networks.boxes import Place

pytestmark = pytest.mark.e2e

MANY = 16


def test_sixteen_at_once_have_sixteen_addresses(place: Place) -> None:
    def take(number: int) -> str:
        owner = Owner(f"{number:064x}", f"many-{number}", "host")
        return str(place.do(lambda: place.networks.allocate(owner, {"bridge": EndpointWish()})).endpoints[0].address)

    with ThreadPoolExecutor(MANY) as pool:
        assert len(set(pool.map(take, range(MANY)))) == MANY
    place.again()
    assert not place.networks.inspect(place.networks.get("bridge"))["Containers"]


def test_sixteen_random_ports_are_sixteen_ports(place: Place) -> None:
    def take(number: int) -> int:
        owner = Owner(f"{number:064x}", f"many-{number}", "host")
        wanted = {"bridge": EndpointWish()}
        return place.do(lambda: place.networks.allocate(owner, wanted, [PortWish(80, "tcp")])).published[0].host_port

    with ThreadPoolExecutor(MANY) as pool:
        assert len(set(pool.map(take, range(MANY)))) == MANY


def test_a_port_that_is_taken_is_refused_and_nothing_is_kept(place: Place) -> None:
    one = PortWish(80, "tcp", "", 8080, 8080)
    place.plugged("one", one)
    box = place.box("two")
    owner = Owner(box.id, "two", "two")
    sentence = (
        r"driver failed programming external connectivity on endpoint two \([0-9a-f]{64}\): "
        r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated"
    )
    for wish, said in ((one, sentence), (PortWish(81, "tcp", "127.0.0.1", 8080, 8080), "port is already allocated")):
        with pytest.raises(EngineError, match=said) as refused:
            place.do(partial(place.networks.allocate, owner, {"bridge": EndpointWish()}, [wish]))
        assert refused.value.status == 500
    assert len(place.networks.inspect(place.networks.get("bridge"))["Containers"]) == 1
    place.plugged("three", PortWish(80, "udp", "", 8080, 8080))  # another protocol is another port


def test_of_a_range_the_first_free_port_is_taken(place: Place) -> None:
    wish = PortWish(80, "tcp", "", 8000, 8002)
    taken = [place.networks.inspect_endpoints(place.plugged(f"box-{n}", wish).id)["Ports"] for n in range(3)]
    assert [ports["80/tcp"][0]["HostPort"] for ports in taken] == ["8000", "8001", "8002"]
    with pytest.raises(EngineError, match="port is already allocated"):
        place.plugged("late", wish)


def test_subnets_of_the_hosts_are_left_alone(place: Place) -> None:
    ip = require("ip")
    place.namespace(ip, "link", "add", "lan", "type", "bridge")
    place.namespace(ip, "address", "add", "10.201.1.1/23", "dev", "lan")
    place.namespace(ip, "link", "set", "lan", "up")
    assert str(place.do(lambda: place.networks.create({"Name": "mine"})).subnet) == "10.201.2.0/24"
    place.again()
    assert str(place.networks.get("bridge").subnet) == "10.201.3.0/24", "nothing was made of it yet: it moves"
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        place.do(lambda: place.networks.create({"Name": "two", "IPAM": {"Config": [{"Subnet": "10.201.0.0/25"}]}}))


def test_addresses_that_are_wished(place: Place) -> None:
    config = {"Subnet": "10.50.0.0/24", "IPRange": "10.50.0.128/30", "Gateway": "10.50.0.9",
              "AuxiliaryAddresses": {"router": "10.50.0.129"}}  # fmt: skip
    place.do(lambda: place.networks.create({"Name": "mine", "IPAM": {"Config": [config]}}))
    wished = place.plugged("one", network="mine", wish=EndpointWish(ipv4="10.50.0.77", mac="02:00:00:00:00:77"))
    assert place.address(wished, "mine") == "10.50.0.77"
    assert "02:00:00:00:00:77" in wished(require("ip"), "link", "show", "eth0")
    given = {place.address(place.plugged(f"box-{n}", network="mine"), "mine") for n in range(3)}
    assert given == {"10.50.0.128", "10.50.0.130", "10.50.0.131"}
    with pytest.raises(EngineError, match="no available IPv4 addresses on this network's address pools: mine"):
        place.plugged("late", network="mine")
    for address, error in (("10.50.0.77", Forbidden), ("10.50.0.9", Forbidden), ("10.51.0.1", BadParameter),
                           ("10.50.0.255", BadParameter), ("2001:db8::1", BadParameter)):  # fmt: skip
        with pytest.raises(error):
            place.plugged("late", network="mine", wish=EndpointWish(ipv4=address))
    with pytest.raises(BadParameter, match="supported on user defined networks only"):
        place.plugged("late", wish=EndpointWish(ipv4="10.201.0.9"))
    with pytest.raises(NotFound, match="network nowhere not found"):
        place.plugged("late", network="nowhere")


def test_an_address_that_was_given_back_rests(place: Place) -> None:
    first = place.plugged("one")
    address = place.address(first)
    place.unplug(first)
    assert place.address(place.plugged("two")) != address


def test_connected_and_disconnected_while_it_runs(place: Place) -> None:
    place.do(lambda: place.networks.create({"Name": "mine"}))
    box, peer = place.plugged("one"), place.plugged("two", network="mine")
    place.do(lambda: place.networks.connect(box.id, box.pid, "mine", EndpointWish(aliases=("db",))))
    assert place.address(box, "mine") in box(require("ip"), "address", "show", "eth1")
    assert "db" in place.networks.hosts(peer.id)
    with pytest.raises(Forbidden, match="endpoint with name one already exists in network mine"):
        place.do(lambda: place.networks.connect(box.id, box.pid, "mine", EndpointWish()))
    with pytest.raises(Forbidden, match="has active endpoints"):
        place.do(lambda: place.networks.remove("mine"))
    place.do(lambda: place.networks.disconnect(box.id, box.pid, "bridge"))
    gateway = str(place.networks.get("mine").gateway)
    assert f"default via {gateway} dev eth1" in box(require("ip"), "route")
    place.do(lambda: place.networks.disconnect(box.id, box.pid, "mine"))
    assert box(require("ip"), "route") == ""
    assert "db" not in place.networks.hosts(peer.id)
    place.unplug(peer)
    assert place.do(lambda: place.networks.prune()) == ["mine"]
    assert [name for name in place.links() if name.startswith("moor-")] == []
