"""Starts a real S3 server: a Ceph RADOS Gateway on one monitor and one OSD in memory, all on free loopback ports.

`with start_ceph() as ceph:` gives its endpoint and keys; `ceph.bucket()` makes a bucket that no other test uses. Data,
sockets and logs are in a directory that goes with it; the daemons are stopped by their pid files.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.s3.client import connect
from storage.s3.options import S3Options
from tests.parts.commands import run
from tests.parts.server import free_port
from tests.parts.tools import require, require_root

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "ceph", "ceph-authtool", "monmaptool", "radosgw-admin")
ACCESS_KEY, SECRET_KEY = "moorage-tests", "s" * 40
KMS_KEY, STORAGE_CLASS = "key-of-tests", "COLD"
DOMAIN = "s3.test"
"""Its own name, below which each bucket has one; nobody resolves them."""
READY_WITHIN = 60.0
MEMORY = 6 << 30  # bytes that the OSD may keep

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {root}/keyring
auth_allow_insecure_global_id_reclaim = true
mon_warn_on_insecure_global_id_reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd_pool_default_pg_num = 8
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
run dir = {root}/run
admin socket = {root}/run/$name.asok
log file = {root}/log/$name.log
pid file = {root}/run/$name.pid
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms_bind_ipv6 = false
[mon.a]
mon data = {root}/mon.a
[osd]
osd objectstore = memstore
memstore_device_bytes = {memory}
osd data = {root}/osd.$id
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw_enable_ops_log = false
rgw_relaxed_s3_bucket_names = true
rgw_dns_name = {domain}
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = {kms_key}=bW9vcmFnZS10ZXN0cy1tb29yYWdlLXRlc3RzLWtleSE=
"""


@dataclass(frozen=True, slots=True)
class Ceph:
    """A gateway that answers."""

    endpoint: str
    root: Path

    def options(self, bucket: str, **others: object) -> S3Options:
        """Say how the driver gets to a bucket."""
        known: dict[str, object] = {"endpoint": self.endpoint, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        return S3Options(bucket, path_style=True, **{**known, **others})  # type: ignore[arg-type]  # names are its own

    def configuration(self, bucket: str, more: str = "") -> str:
        """Say in a moorage.toml that blobs are in a bucket."""
        return (
            f'[storage]\ndriver = "s3"\n[storage.s3]\nbucket = "{bucket}"\nendpoint = "{self.endpoint}"\n'
            f'path_style = true\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n{more}'
        )

    def bucket(self) -> str:
        """Make an empty bucket and give its name."""
        name = f"bucket-{uuid.uuid4().hex}"
        connect(self.options(name), self.endpoint).create_bucket(Bucket=name)
        return name

    def bucket_of_another(self, *allowed: str) -> str:
        """Make a bucket that is another user's, in which ours may do what is allowed: s3:ListBucket, …; or nothing."""
        name, who = f"bucket-{uuid.uuid4().hex}", uuid.uuid4().hex
        keys = {"access_key": who, "secret_key": "o" * 40}
        user = (f"--uid={who}", "--display-name=another", f"--access-key={who}", f"--secret={keys['secret_key']}")
        conf = ("-c", self.root / "ceph.conf", "-n", "client.rgw")
        run(require("radosgw-admin"), *map(str, conf), "user", "create", *user)
        owner = connect(self.options(name, **keys), self.endpoint)
        owner.create_bucket(Bucket=name)
        if allowed:
            statement = {
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam:::user/tests"]},
                "Action": allowed,
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
            }
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            owner.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        return name


@contextmanager
def start_ceph(memory: int = MEMORY) -> Iterator[Ceph]:
    """Start the daemons, wait until the gateway answers, and stop them at the end."""
    programs = {name: require(name) for name in PROGRAMS}
    require_root()
    with tempfile.TemporaryDirectory(prefix="ceph-") as directory:
        cluster = _Cluster(Path(directory), programs, free_port())
        try:
            cluster.start(memory)
            yield Ceph(f"http://127.0.0.1:{cluster.port}", cluster.root)
        finally:
            cluster.stop()


class _Cluster:
    def __init__(self, root: Path, programs: dict[str, str], port: int) -> None:
        self.root = root
        self.port = port
        self._programs = programs
        self._fsid = str(uuid.uuid4())
        self._mon = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"

    def start(self, memory: int) -> None:
        for part in ("mon.a", "osd.0", "run", "log"):
            (self.root / part).mkdir()
        v2, v1 = (part.rpartition(":")[2] for part in self._mon.strip("[]").split(","))
        known = {"kms_key": KMS_KEY, "domain": DOMAIN}
        text = CONFIGURATION.format(
            fsid=self._fsid, mon_v2=v2, mon_v1=v1, root=self.root, memory=memory, port=self.port, **known
        )
        (self.root / "ceph.conf").write_text(text)
        self._start_monitor()
        self._start_osd()
        self._start_gateway()

    def _start_monitor(self) -> None:
        keyring, monmap = self.root / "keyring", self.root / "monmap"
        tool = self._programs["ceph-authtool"]
        run(tool, "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        admin = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
        run(tool, keyring, "--gen-key", "-n", "client.admin", *admin)
        run(tool, keyring, "--gen-key", "-n", "client.rgw", "--cap", "mon", "allow rw", "--cap", "osd", "allow rwx")
        osd = ("--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")
        run(tool, keyring, "--gen-key", "-n", "osd.0", *osd)
        run(self._programs["monmaptool"], "--create", "--fsid", self._fsid, "--addv", "a", self._mon, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._run("ceph-mon", "-i", "a")
        _until(lambda: "fsid" in self._run("ceph", "--connect-timeout", "5", "fsid", "-f", "json"), "the monitor")

    def _start_osd(self) -> None:
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph-osd", "-i", "0")
        _until(lambda: "1 up" in self._run("ceph", "osd", "stat"), "the OSD")

    def _start_gateway(self) -> None:
        admin = ("radosgw-admin", "-n", "client.rgw")
        user = ("--uid=tests", "--display-name=tests", f"--access-key={ACCESS_KEY}", f"--secret={SECRET_KEY}")
        self._run(*admin, "user", "create", *user)
        of_class = ("--placement-id=default-placement", f"--storage-class={STORAGE_CLASS}")
        self._run(*admin, "zonegroup", "placement", "add", "--rgw-zonegroup=default", *of_class)
        pool = f"--data-pool=default.rgw.{STORAGE_CLASS.lower()}.data"
        self._run(*admin, "zone", "placement", "add", "--rgw-zone=default", *of_class, pool)
        self._run("radosgw", "-n", "client.rgw")
        _until(lambda: _answers(self.port), "the gateway")

    def _run(self, program: str, *arguments: object) -> str:
        return run(self._programs[program], "-c", self.root / "ceph.conf", *map(str, arguments))

    def stop(self) -> None:
        """Kill the daemons: what they keep is in memory and of no more use."""
        pids = [int(path.read_text()) for path in (self.root / "run").glob("*.pid")]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 5
        while any(_lives(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + READY_WITHIN
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} of Ceph did not come up within {READY_WITHIN:.0f} s")
        time.sleep(0.2)
