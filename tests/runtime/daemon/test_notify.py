"""What systemd is told."""

import socket
from pathlib import Path

from runtime.daemon.notify import notify


def test_a_manager_hears_by_path_and_by_abstract_name(tmp_path: Path) -> None:
    for address, name in ((str(tmp_path / "n"), str(tmp_path / "n")), ("\0moor-test-notify", "@moor-test-notify")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(10)
            notify("READY=1", {"NOTIFY_SOCKET": name})
            assert manager.recv(100) == b"READY=1"


def test_nobody_need_listen() -> None:
    notify("READY=1", {})
    notify("READY=1", {"NOTIFY_SOCKET": "/nowhere/at/all"})
    notify("READY=1", {"NOTIFY_SOCKET": "vsock:2:1"})
