"""What is done beside requests: chores, which every worker process does, and jobs, which one of all of them does."""

import os
import socket
from datetime import timedelta
from functools import partial

from registry.accounts.services import AccountServices
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog
from registry.content.collector import Collector
from registry.content.pulls import Pulls
from registry.content.uploads import Uploads
from registry.jobs.periodic import Chore
from registry.jobs.runner import Runner
from registry.jobs.sweep import collect_garbage, purge_audit, purge_jobs, sweep_uploads
from registry.settings import Settings

OPERATOR = Origin("moorage", "operator")
"""Who makes the first administrator and rotates keys on schedule."""


def job_runner(settings: Settings, catalog: Catalog, audit: Audit, uploads: Uploads) -> Runner:
    """Give a runner that knows every kind of job."""
    kinds = [
        sweep_uploads(uploads, settings.uploads.sweep_interval),
        purge_audit(catalog, settings.audit.keep),
        purge_jobs(catalog, settings.jobs.keep),
    ]
    if settings.gc.enabled:
        collector = Collector(catalog, audit, uploads, settings.gc.grace)
        kinds.append(collect_garbage(collector, settings.gc.interval))
    return Runner(catalog, kinds, name=f"{socket.gethostname()}:{os.getpid()}")


def chores(audit: Audit, pulls: Pulls, accounts: AccountServices | None, rotation: timedelta) -> tuple[Chore, ...]:
    """Give the chores that are SQL. `rotation`: how old a signing key gets; 0: it stays."""
    common = (
        Chore("audit rows", audit.flush, 1.0, at_end=True),
        Chore("pull counts", pulls.flush, 5.0, at_end=True),
    )
    if accounts is None:
        return common
    rotate = Chore("key rotation", partial(accounts.keys.rotate, OPERATOR, older_than=rotation), 3600.0)
    return (
        *common,
        Chore("last uses", accounts.used.flush, 10.0, at_end=True),
        Chore("keys", accounts.keys.look, 5.0),
        Chore("old failures", accounts.throttle.purge, 600.0),
        Chore("ended logins", accounts.tokens.forget_ended, 600.0),
        *((rotate,) if rotation else ()),
    )


def storage_chores(uploads: Uploads) -> tuple[Chore, ...]:
    """Give the chores that delete bytes."""
    return (Chore("replaced keys", uploads.sweep_keys, 5.0),)
