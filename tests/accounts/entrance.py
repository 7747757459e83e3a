"""What tests sign in through: the use cases on a real catalog, with hashes that take no time."""

from datetime import timedelta

from auth.keys import MasterKey
from auth.passwords import PasswordHasher
from auth.secrets import SecretKind, hash_secret, new_id, new_secret
from registry.accounts.keys import KeyRing
from registry.accounts.sign_in import Principal, SignIn
from registry.accounts.throttle import Throttle, ThrottleLimits
from registry.accounts.tokens import Tokens
from registry.accounts.used import LastUsed
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog

PASSWORD = "ada-lines-and-bollards"
SECOND = 1_000_000
HOME = Origin("", "anonymous", address="192.0.2.7", agent="docker/28", request_id="r1")
AWAY = Origin("", "anonymous", address="203.0.113.9")


class Entrance:
    """Signing in and tokens; `lines` is the trail as it was written. `ada` and `team+ci` are there already."""

    def __init__(self, catalog: Catalog, *, refresh_lifetime: timedelta | None = timedelta(days=1)) -> None:
        self.catalog = catalog
        self.lines: list[bytes] = []
        self.audit = Audit(catalog, self.lines.append)
        self.hasher = PasswordHasher(time_cost=1, memory_kib=8)
        self.throttle = Throttle(catalog, ThrottleLimits(pair=3, network=6, name=5))
        self.used = LastUsed(catalog)
        self.sign_in = SignIn(catalog, self.hasher, self.throttle, self.audit, self.used)
        self.keys = KeyRing(catalog, MasterKey.generate(), self.audit)
        self.keys.ensure()
        self.tokens = Tokens(
            catalog,
            self.keys,
            self.audit,
            issuer="moorage",
            service="hub",
            lifetime=timedelta(minutes=5),
            refresh_lifetime=refresh_lifetime,
        )
        with catalog.begin() as tx:
            tx.accounts.add_user("ada", password=self.hasher.hash(PASSWORD))
            tx.accounts.add_robot(tx.accounts.add_organization("team").id, "team+ci")

    def secret(self, owner: str, kind: SecretKind = SecretKind.PAT, *, lifetime: int | None = None) -> tuple[str, str]:
        """Give an account a secret, good for a number of µs; its id, and the secret."""
        secret, credential = new_secret(kind), new_id()
        with self.catalog.begin() as tx:
            tx.credentials.add(
                credential,
                tx.accounts.get(owner).id,
                {"mrg_pat_": "pat", "mrg_rob_": "robot", "mrg_ref_": "refresh"}[kind.value],
                secret_hash=hash_secret(secret),
                service="hub" if kind is SecretKind.REFRESH else None,
                expires_at=None if lifetime is None else tx.now + lifetime,
            )
        return credential, secret

    def password(self, password: str = PASSWORD, name: str = "ada", origin: Origin = HOME) -> Principal:
        """Sign in with a password."""
        return self.sign_in.by_password(name, password, origin)

    def disable(self, name: str) -> None:
        """Shut an account out."""
        with self.catalog.begin() as tx:
            tx.accounts.set_disabled(tx.accounts.get(name).id, True)
