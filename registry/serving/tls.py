"""TLS by certificate files: the context, its renewal when the files change, and a self-signed pair to begin with.

TLS 1.2 is the oldest version spoken. ALPN offers HTTP/1.1 alone: pulls are few and large, and HTTP/2 would add its own
flow control to each of them.
"""

import ipaddress
import logging
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

logger = logging.getLogger(__name__)


class BadCertificate(Exception):
    """The certificate or its key cannot be used; the message says which file and why."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the context that new connections are accepted with. Raises BadCertificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except FileNotFoundError as error:
        missing = key if certificate.exists() else certificate
        raise BadCertificate(f"the TLS file {missing} does not exist") from error
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise BadCertificate(f"the TLS certificate {certificate} and key {key} cannot be used: {reason}") from error
    return context


class CertificateFiles:
    """Two files and what they looked like when they were last taken into use.

    A pair that does not fit together waits until it changes again: whoever renews it writes one file after the other.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key
        self._seen = self._look()

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        looks = []
        for path in (self.certificate, self.key):
            try:
                status = path.stat()  # follows links: mounted secrets change by swapping one
                looks.append((status.st_ino, status.st_mtime_ns, status.st_size))
            except OSError:
                looks.append((0, 0, 0))
        return tuple(looks)

    def changed(self) -> bool:
        """Say, once for each change, that there is a new pair that can be used."""
        now = self._look()
        if now == self._seen:
            return False
        self._seen = now
        try:
            server_context(self.certificate, self.key)
        except BadCertificate as error:
            logger.warning("the new TLS files are not used yet: %s", error)
            return False
        logger.info("the TLS certificate %s has changed and is taken into use", self.certificate)
        return True


def make_self_signed(directory: Path, names: Sequence[str], days: int) -> tuple[Path, Path]:
    """Write `moorage.crt` and `moorage.key` (EC P-256; the key for its owner only) for these host names and addresses.

    Returns: the paths of the certificate and of the key.
    Raises:  FileExistsError if either file is there already: a key is never overwritten.
    """
    # cryptography costs 100 ms to import and only this command needs it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    if not names:
        raise ValueError("a certificate needs at least one host name or address")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clients' clocks are not all right
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(public, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    directory.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = directory / "moorage.crt", directory / "moorage.key"
    if certificate_file.exists():
        raise FileExistsError(f"{certificate_file} exists already")
    _write_new(key_file, private, 0o600)
    _write_new(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate_file, key_file


def _alternative(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
