"""The two ways to serve: `serve_uvicorn` and `serve_granian`. Each returns the process's exit code.

One worker runs in the calling process; several run under a supervisor, which forks, so the caller must be
single-threaded and hold no database connection by then.
"""

import functools
import logging
import signal
import socket
from collections.abc import Callable

from registry.serving.listen import CannotListen, Listener, open_listener
from registry.serving.plan import AppFactory, ServingPlan
from registry.serving.supervisor import Supervisor
from registry.serving.tls import BadCertificate, CertificateFiles, server_context

logger = logging.getLogger(__name__)

Announce = Callable[[str], None]
EngineWork = Callable[[AppFactory, ServingPlan, socket.socket, Callable[[], None]], int]


def _say_nothing(url: str) -> None:
    """Announce nothing."""


def serve_uvicorn(make_app: AppFactory, plan: ServingPlan, *, announce: Announce = _say_nothing) -> int:
    """Serve on uvicorn until SIGTERM or SIGINT.

    Args:    make_app: called in each worker; announce: called once with the URL when every worker serves.
    Returns: 0 after draining; 1 if the address or the certificate cannot be had; 3 if the application cannot start.
    """
    from registry.serving.uvicorn_engine import work

    return _serve(work, make_app, plan, announce, supervised=plan.workers > 1, own_sockets=False)


def serve_granian(make_app: AppFactory, plan: ServingPlan, *, announce: Announce = _say_nothing) -> int:
    """Serve on Granian until SIGTERM or SIGINT; arguments and results as for uvicorn.

    With TLS even a single worker is supervised: Granian reads a certificate once, so a new one needs a new worker.
    """
    from registry.serving.granian_engine import work

    return _serve(work, make_app, plan, announce, supervised=plan.workers > 1 or plan.tls, own_sockets=True)


def _serve(
    work: EngineWork,
    make_app: AppFactory,
    plan: ServingPlan,
    announce: Announce,
    *,
    supervised: bool,
    own_sockets: bool,
) -> int:
    try:
        certificate = _certificate(plan)
        listener = open_listener(plan, one_each=own_sockets)
    except (CannotListen, BadCertificate) as error:
        logger.error("%s", error)
        return 1
    say = functools.partial(announce, listener.url)
    try:
        if not supervised:
            return work(make_app, plan, listener.for_worker(0), say)
        return _supervise(work, make_app, plan, listener, say, certificate if own_sockets else None)
    finally:
        listener.close()


def _certificate(plan: ServingPlan) -> CertificateFiles | None:
    """Check the pair before anybody is told that the server runs."""
    if plan.tls_cert is None or plan.tls_key is None:
        return None
    server_context(plan.tls_cert, plan.tls_key)
    return CertificateFiles(plan.tls_cert, plan.tls_key)


def _supervise(
    work: EngineWork,
    make_app: AppFactory,
    plan: ServingPlan,
    listener: Listener,
    announce: Callable[[], None],
    certificate: CertificateFiles | None,
) -> int:
    def in_worker(slot: int, ready: Callable[[], None]) -> int:
        return work(make_app, plan, listener.keep_only(slot), ready)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        return Supervisor(
            in_worker,
            plan.workers,
            drain_timeout=plan.drain_timeout,
            stop_listening=listener.close,
            announce=announce,
            renew=certificate.changed if certificate is not None else lambda: False,
        ).run()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
