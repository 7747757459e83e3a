"""TLS: the self-signed pair, the versions spoken, and certificates that change while the server runs."""

import os
import shutil
import ssl
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509

from registry.serving.tls import BadCertificate, CertificateFiles, make_self_signed, server_context
from tests.serving.conftest import Serve
from tests.serving.running import Running, wait_for


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    return make_self_signed(tmp_path / "tls", ["127.0.0.1", "localhost"], 30)


def serial(server: Running) -> int:
    """Ask which certificate is shown."""
    text = ssl.get_server_certificate(("127.0.0.1", server.port))
    return x509.load_pem_x509_certificate(text.encode()).serial_number


def swap(pair: tuple[Path, Path], new: tuple[Path, Path]) -> None:
    """Put new files in the place of the old, the way a renewal tool does."""
    for old, fresh in zip(pair, new, strict=True):
        shutil.copy(fresh, f"{old}.new")
        Path(f"{old}.new").replace(old)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_that_trusts_the_certificate_is_served(serve: Serve, pair: tuple[Path, Path], workers: int) -> None:
    server = serve(tls_cert=str(pair[0]), tls_key=str(pair[1]), workers=workers)
    assert server.url.startswith("https://")
    with server.connect(trust=pair[0]) as connection:
        assert connection.ask("/hello").body == b"GET /hello"
        assert len(connection.ask("/stream/20/0").body) == 20 * 65536
    assert server.stop() == 0


def test_files_are_not_offered_by_sendfile_over_tls(uvicorn: Serve, pair: tuple[Path, Path]) -> None:
    server = uvicorn(tls_cert=str(pair[0]), tls_key=str(pair[1]))
    with server.connect(trust=pair[0]) as connection:
        assert connection.ask("/extensions").body == b""


def test_a_client_that_only_speaks_tls_1_1_is_refused(serve: Serve, pair: tuple[Path, Path]) -> None:
    server = serve(tls_cert=str(pair[0]), tls_key=str(pair[1]))
    context = ssl.create_default_context(cafile=str(pair[0]))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with server.connect() as connection, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(connection.sock, server_hostname="127.0.0.1")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_renewed_certificate_is_taken_up(serve: Serve, pair: tuple[Path, Path], tmp_path: Path, workers: int) -> None:
    server = serve(tls_cert=str(pair[0]), tls_key=str(pair[1]), workers=workers, tls_check_interval=0.2)
    before = serial(server)
    new = make_self_signed(tmp_path / "new", ["127.0.0.1"], 30)
    with server.connect(trust=pair[0]) as long:
        long.send(b"GET /stream/30/100 HTTP/1.1\r\nHost: t\r\n\r\n")
        swap(pair, new)
        wait_for(lambda: serial(server) != before, "the new certificate")
        assert len(long.answer().body) == 30 * 65536  # what was under way is not disturbed
    with server.connect(trust=new[0]) as connection:
        assert connection.ask("/hello").status == 200
    assert server.stop() == 0


def test_a_broken_renewal_leaves_the_old_certificate(serve: Serve, pair: tuple[Path, Path]) -> None:
    server = serve(tls_cert=str(pair[0]), tls_key=str(pair[1]), tls_check_interval=0.2)
    before = serial(server)
    pair[0].write_text("not a certificate")
    wait_for(lambda: "not used yet" in server.log.read_text(), "a warning")
    assert serial(server) == before
    assert server.log.read_text().count("not used yet") == 1


def test_a_slow_handshake_is_cut(uvicorn: Serve, pair: tuple[Path, Path]) -> None:
    server = uvicorn(tls_cert=str(pair[0]), tls_key=str(pair[1]), header_timeout=0.5)
    with server.connect() as connection:
        assert connection.closed_within(6)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_named(serve: Serve, pair: tuple[Path, Path], missing: int) -> None:
    pair[missing].unlink()
    server = serve(tls_cert=str(pair[0]), tls_key=str(pair[1]))
    assert server.process.wait(10) == 1
    assert f"{pair[missing]} does not exist" in server.log.read_text()


def test_a_key_of_another_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_self_signed(tmp_path / "other", ["localhost"], 1)
    with pytest.raises(BadCertificate, match="cannot be used"):
        server_context(pair[0], other[1])


def test_the_self_signed_pair(pair: tuple[Path, Path]) -> None:
    certificate = x509.load_pem_x509_certificate(pair[0].read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert stat.S_IMODE(pair[1].stat().st_mode) == 0o600
    assert certificate.not_valid_after_utc > certificate.not_valid_before_utc


def test_a_key_is_never_overwritten(pair: tuple[Path, Path]) -> None:
    before = pair[1].read_bytes()
    with pytest.raises(FileExistsError):
        make_self_signed(pair[0].parent, ["localhost"], 1)
    pair[0].unlink()
    with pytest.raises(FileExistsError):
        make_self_signed(pair[0].parent, ["localhost"], 1)
    assert pair[1].read_bytes() == before


def test_a_half_written_renewal_is_taken_up_when_it_is_whole(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files = CertificateFiles(*pair)
    assert not files.changed()
    new = make_self_signed(tmp_path / "new", ["localhost"], 1)
    shutil.copy(new[0], pair[0])
    assert not files.changed()
    shutil.copy(new[1], pair[1])
    os.utime(pair[1], (time.time() + 5, time.time() + 5))
    assert files.changed()
    assert not files.changed()
