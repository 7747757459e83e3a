"""Clients at a container's streams, on a real conmon and runc: nothing lost, nothing doubled, nobody kept waiting."""

import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest

from runtime.containers.streams.attach import Attachments, HungUp
from runtime.containers.streams.wires import STDERR, STDOUT
from runtime.errors import Conflict, EngineError
from tests.parts.bundles import PATIENCE, Bundle, new_bundle
from tests.runtime.containers.clients import Shown, feed, poll, read_all

pytestmark = pytest.mark.e2e

LEAVE_OPEN = ("-i", "--leave-stdin-open")
MEBIBYTE = 2**20


def begin(bundle: Bundle, attachments: Attachments, *options: str) -> None:
    bundle.conmon(*options)
    attachments.dial(bundle.id, bundle.attach_socket, bundle.pid)
    bundle.start()


def test_who_waits_before_the_start_gets_the_first_byte_and_the_last() -> None:
    attachments = Attachments()
    with new_bundle("sh", "-c", "echo out; echo err >&2; exit 7") as bundle:
        clients = [attachments.expect(bundle.id) for _ in range(3)]
        begin(bundle, attachments)
        for client in clients:
            assert read_all(client.wires(PATIENCE)) == {STDOUT: b"out\n", STDERR: b"err\n"}
            attachments.leave(client)
        assert bundle.exit_code() == 7


def test_twenty_megabytes_each_way() -> None:
    attachments = Attachments()
    sent = os.urandom(20 * MEBIBYTE)
    with new_bundle("cat") as bundle:
        client = attachments.expect(bundle.id, sends_input=True)
        begin(bundle, attachments, "-i")
        wires = client.wires(PATIENCE)
        writer = threading.Thread(target=feed, args=(wires, sent))
        writer.start()
        received = read_all(wires)[STDOUT]
        writer.join(PATIENCE)
        attachments.leave(client)
        assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
        assert bundle.exit_code() == 0


def test_a_terminal_gets_the_size_that_came_first_and_each_later_one() -> None:
    attachments = Attachments()
    with new_bundle(
        "sh", "-c", "stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done", terminal=True
    ) as bundle:
        client = attachments.expect(bundle.id, sends_input=True)
        attachments.resize(bundle.id, 33, 111)
        begin(bundle, attachments, *LEAVE_OPEN)
        shown = Shown(client.wires(PATIENCE))
        shown.until(b"ready")
        assert b"33 111" in shown.text
        attachments.resize(bundle.id, 44, 122)
        shown.until(b"44 122")
        attachments.leave(client)


def test_a_client_that_comes_later_gets_what_is_written_from_then_on() -> None:
    attachments = Attachments()
    with new_bundle("sh", "-c", "echo early; read x; echo late $x") as bundle:
        begin(bundle, attachments, *LEAVE_OPEN)
        poll(lambda: b"early" in bundle.log.read_bytes())
        client = attachments.expect(bundle.id, sends_input=True)
        feed(client.wires(PATIENCE), b"word\n", finish=False)
        assert read_all(client.wires()) == {STDOUT: b"late word\n"}
        attachments.leave(client)


def test_detaching_from_a_terminal_leaves_its_input_open() -> None:
    attachments = Attachments()
    with new_bundle("sh", "-c", "read x; echo got $x", terminal=True) as bundle:
        first = attachments.expect(bundle.id, sends_input=True)
        begin(bundle, attachments, *LEAVE_OPEN)
        first.wires(PATIENCE)
        attachments.leave(first)
        second = attachments.expect(bundle.id, sends_input=True)
        feed(second.wires(PATIENCE), b"again\n", finish=False)
        assert b"got again" in read_all(second.wires())[STDOUT]
        attachments.leave(second)


def test_a_listener_that_goes_does_not_end_the_input_of_another() -> None:
    attachments = Attachments()
    with new_bundle("sh", "-c", "cat; echo end") as bundle:
        owner = attachments.expect(bundle.id, sends_input=True, parks=True)
        listener = attachments.expect(bundle.id, parks=True)
        begin(bundle, attachments, "-i")
        listener.wires(PATIENCE)
        attachments.leave(listener)
        shown = Shown(owner.wires(PATIENCE))
        for word in (b"one", b"two"):  # by the second, conmon has long seen that the listener is gone
            feed(owner.wires(), word + b"\n", finish=False)
            shown.until(word)
        feed(owner.wires(), b"three")
        assert read_all(owner.wires()) == {STDOUT: b"threeend\n"}
        attachments.leave(owner)
        attachments.hang_up(bundle.id)


def test_a_client_that_does_not_read_holds_up_the_container_until_it_goes() -> None:
    attachments = Attachments()
    with new_bundle("sh", "-c", f"head -c {4 * MEBIBYTE} /dev/zero; echo done > /tmp/done") as bundle:
        client = attachments.expect(bundle.id)
        begin(bundle, attachments)
        client.wires(PATIENCE)
        done = bundle.rootfs / "tmp" / "done"
        size = settled(bundle.log)
        assert size < 2 * MEBIBYTE
        assert not done.exists()
        attachments.leave(client)
        assert bundle.exit_code() == 0
        assert done.exists()


def test_a_start_that_fails_hangs_up_whoever_waited() -> None:
    attachments = Attachments()
    client = attachments.expect("id")
    attachments.hang_up("id")
    with pytest.raises(HungUp):
        client.wires(PATIENCE)
    attachments.leave(client)


def test_who_left_before_the_start_is_not_connected(tmp_path: Path) -> None:
    attachments = Attachments()
    client = attachments.expect("id")
    attachments.leave(client)
    attachments.dial("id", tmp_path / "attach")  # nobody listens: connecting would fail
    assert client.connected.cancelled()


def test_a_supervisor_that_does_not_answer_is_an_error_for_all(tmp_path: Path) -> None:
    attachments = Attachments()
    clients = [attachments.expect("id") for _ in range(2)]
    with pytest.raises(EngineError, match="supervisor does not answer"):
        attachments.dial("id", tmp_path / "attach")
    late = attachments.expect("id")
    for client in (*clients, late):
        with pytest.raises(HungUp):
            client.wires(PATIENCE)


def test_a_supervisor_that_is_held_up_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    attachments = Attachments()
    with listening(tmp_path / "stuck") as stuck, listening(tmp_path / "free"):
        for name in ("stuck", "free"):
            attachments.dial(name, tmp_path / name)
        first = attachments.expect("stuck")  # nobody accepts it, and there is no room for another
        late = threading.Thread(target=attachments.expect, args=("stuck",))
        late.start()
        poll(lambda: connecting(late))
        other = attachments.expect("free")
        assert other.connected.done()
        assert late.is_alive()
        stuck.close()
        late.join(PATIENCE)
        for client in (first, other):
            attachments.leave(client)


def connecting(thread: threading.Thread) -> bool:
    """Whether a thread waits in connect(2), or has ended."""
    place = Path(f"/proc/self/task/{thread.native_id}/wchan")
    return not thread.is_alive() or "unix_wait_for_peer" in place.read_text()


def listening(path: Path) -> socket.socket:
    """A supervisor's socket with room for one client."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(0)
    return listener


def test_a_container_that_is_gone_takes_no_size(tmp_path: Path) -> None:
    attachments = Attachments()
    attachments.dial("id", tmp_path / "attach")
    with pytest.raises(Conflict, match="container id is not running"):
        attachments.resize("id", 1, 1)


def settled(log: Path) -> int:
    """A log's size once it has stood still for a second."""
    sizes = [-1]

    def still() -> bool:
        sizes.append(log.stat().st_size)
        return len(sizes) > 10 and len(set(sizes[-10:])) == 1

    poll(still, every=0.1)
    return sizes[-1]
