"""`moorage serve`: start the registry, and stay until it is told to stop."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.addresses import is_loopback, split_listen
from registry.cli.common import USAGE, read_settings, stop
from registry.cli.welcome import Welcome

if TYPE_CHECKING:
    from registry.serving.plan import ServingPlan
    from registry.settings import Settings

DEFAULT_WORKERS = 4

EVERYONE_ADVICE = (
    "open mode on {listen} would let everyone on the network read and write everything. Listen on 127.0.0.1,"
    " or say that you mean it: --open --open-to-everyone"
)

Listen = Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data directory; made if missing.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes.")]
Engine = Annotated[str | None, typer.Option("--server", metavar="uvicorn|granian", help="The HTTP server.")]
Socket = Annotated[Path | None, typer.Option("--uds", metavar="PATH", help="Listen on a unix socket instead.")]
Certificate = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")]
Key = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key, PEM.")]
Open = Annotated[bool, typer.Option("--open", help="No accounts: everyone may read and write everything.")]
Everyone = Annotated[bool, typer.Option("--open-to-everyone", help="With --open, on any address.")]


def serve(
    listen: Listen = None,
    data: Data = None,
    config: ConfigFile = None,
    workers: Workers = None,
    server: Engine = None,
    uds: Socket = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    open_mode: Open = False,
    open_to_everyone: Everyone = False,
) -> None:
    """Start the registry."""
    flags: Mapping[str, Mapping[str, object]] = {
        "server": {
            "listen": listen,
            "workers": workers,
            "engine": server,
            "uds": uds,
            "tls_cert": tls_cert,
            "tls_key": tls_key,
        },
        "storage": {"path": data},
        "auth": {"mode": "open" if open_mode else None},
    }
    given = {section: {k: v for k, v in keys.items() if v is not None} for section, keys in flags.items()}
    settings, _ = read_settings(config, given)
    refuse_unsafe(settings, open_to_everyone=open_to_everyone)
    raise typer.Exit(_run(settings))


def refuse_unsafe(settings: "Settings", *, open_to_everyone: bool) -> None:
    """Stop before anything is touched if the registry would be open by accident."""
    server = settings.server
    exposed = server.uds is None and not is_loopback(server.listen)
    if settings.auth.mode == "open" and exposed and not open_to_everyone:
        stop(EVERYONE_ADVICE.format(listen=server.listen), USAGE)
    if (settings.server.tls_cert is None) != (settings.server.tls_key is None):
        stop("a certificate and its key go together: give both --tls-cert and --tls-key", USAGE)


def _run(settings: "Settings") -> int:
    from registry.accounts.first_start import BadAdminPassword
    from registry.accounts.keys import WrongMasterKeyError
    from registry.app import app_factory, prepare
    from registry.catalog.errors import CatalogError, CatalogUnavailable
    from registry.catalog.schema import SchemaError
    from registry.checks import database_key
    from registry.edge.logs import configure_logging
    from registry.parts import places, sole_server
    from registry.serving.serve import serve_granian, serve_uvicorn
    from storage.errors import StorageError
    from storage.layout import Layout

    configure_logging(settings.log.format, settings.log.level)
    engines = {"uvicorn": serve_uvicorn, "granian": serve_granian}
    try:
        plan = _plan(settings)
        with Layout.open(settings.storage.path, create=True).lock(places(settings)), sole_server(settings):
            welcome = Welcome(settings, prepare(settings))
            try:
                return engines[settings.server.engine](app_factory(settings), plan, announce=welcome.say)
            finally:
                welcome.save_password()
    except CatalogUnavailable as error:
        key = database_key(settings)
        stop(f"the database cannot be used now: {error}. Look at {key}; `moorage config check` does, without starting")
    except (StorageError, SchemaError, CatalogError, WrongMasterKeyError, BadAdminPassword) as error:
        stop(str(error))
    except ModuleNotFoundError as error:
        stop(f"the server {settings.server.engine} is not installed ({error}): pip install 'moorage[granian]'")


def _plan(settings: "Settings") -> "ServingPlan":
    """Say how to serve, in the plain values that `registry.serving` takes."""
    from registry.serving.plan import ServingPlan

    server = settings.server
    host, port = split_listen(server.listen)
    return ServingPlan(
        host=host,
        port=port,
        uds=server.uds,
        tls_cert=server.tls_cert,
        tls_key=server.tls_key,
        workers=server.workers or min(os.cpu_count() or 1, DEFAULT_WORKERS),
        drain_timeout=server.drain_timeout.total_seconds(),
        header_timeout=server.header_timeout.total_seconds(),
        keep_alive=server.keep_alive.total_seconds(),
        write_stall=server.stall_timeout.total_seconds(),
    )
