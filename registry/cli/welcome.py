"""What `moorage serve` says once it is ready: where it is, who may do what, and what to type next."""

import sys
from typing import TYPE_CHECKING

from registry import __version__
from registry.cli.addresses import is_loopback

if TYPE_CHECKING:
    from registry.settings import Settings


class Welcome:
    """Says it once.

    Args: password: the first administrator's, which nothing else knows; None where there is none to tell.
    """

    def __init__(self, settings: "Settings", password: str | None) -> None:
        self._settings = settings
        self._password = password

    def say(self, url: str) -> None:
        """Tell the person who started it that it is ready."""
        settings = self._settings
        host = _named((settings.server.public_url or url).partition("://")[2])
        _print(f"Moorage {__version__} is ready at {url}, its data in {settings.storage.path.absolute()}")
        if settings.auth.mode == "open":
            _print("Open mode: everyone who reaches this address may read and write everything.")
        self._say_password()
        if settings.server.uds is None:
            self._say_next(host)
        if settings.auth.mode == "accounts" and url.startswith("http://") and not self._protected(url):
            _print("Warning: without TLS, passwords cross the network in the clear: moorage tls self-signed --help")
        sys.stderr.flush()

    def _protected(self, url: str) -> bool:
        """Tell whether plain HTTP stays on this machine, or a proxy in front speaks TLS."""
        server = self._settings.server
        return bool(server.trusted_proxies) or server.uds is not None or is_loopback(url.partition("://")[2])

    def save_password(self) -> None:
        """Tell the password even where the server could not start: it is written down nowhere else."""
        self._say_password()
        sys.stderr.flush()

    def _say_password(self) -> None:
        password, self._password = self._password, None
        if password is not None:
            _print(f"This is the first start. Sign in as admin with the password {password}")
            _print("It is shown only now; change it with: moorage user password admin")

    def _say_next(self, host: str) -> None:
        if self._settings.auth.mode == "open":
            _print(f"Try:  docker tag IMAGE {host}/IMAGE && docker push {host}/IMAGE")
            return
        _print("Try:" if "HOST" not in host else "Try, with the name by which clients reach this machine for HOST:")
        for line in (
            f"docker login -u admin {host}",
            f"docker tag IMAGE {host}/admin/IMAGE",
            f"docker push {host}/admin/IMAGE",
        ):
            _print(f"  {line}")


def _named(host: str) -> str:
    """Give what a client would type; an address that stands for all of a machine's addresses is none of them."""
    name, colon, port = host.rpartition(":")
    return f"HOST{colon}{port}" if name in ("0.0.0.0", "[::]") else host  # noqa: S104  # not listened on: replaced


def _print(line: str) -> None:
    print(line, file=sys.stderr)
