"""A conversation with one registry: found once over TLS or plain, signed in to, and followed where it sends us.

What holds: credentials and tokens go to the registry's own origin; nothing leads from TLS to plain HTTP, nor from
another machine to this one; what is sent is never redirected.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from registry.client import challenges, origins, trust
from registry.client.challenges import Challenge
from registry.client.credentials import Credentials
from registry.client.errors import Answered, ClientError, Interrupted, Unreachable, Untrusted
from registry.client.limits import Limits
from registry.client.origins import Origin, Url
from registry.client.tokens import Tokens
from registry.client.transport import Answer, Transport

Body = Callable[[], Iterable[bytes]]
"""Gives the bytes of a request from their beginning, for it may have to be made twice."""
Scopes = tuple[str, ...]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READS = frozenset({"GET", "HEAD"})


class Session:
    """The conversation. Safe from any thread."""

    def __init__(
        self, host: str, credentials: Credentials, *, insecure: bool, certificates: Path | None, limits: Limits
    ) -> None:
        self.host = host
        self.limits = limits
        origin = origins.origin_of("https", host)
        self._insecure = insecure or origin.loopback
        secure = trust.context(certificates / host if certificates else None, verify=not self._insecure)
        self.transport = Transport(limits, secure, trust.context(None, verify=True), host)
        self.tokens = Tokens(self.transport, credentials, limits)
        self._credentials = credentials
        self._lock = threading.Lock()
        self._origin: Origin | None = None
        self._challenges: tuple[Challenge, ...] = ()

    @property
    def origin(self) -> Origin:
        """The registry's origin, found by asking it the first time. Raises: Unreachable, Untrusted."""
        with self._lock:
            if self._origin is None:
                self._origin = self._find()
            return self._origin

    @contextmanager
    def ask(
        self,
        method: str,
        target: str | Url,
        scopes: Scopes,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        patience: float = 0,
    ) -> Iterator[Answer]:
        """Make a request as the user and lend the answer, whatever its status but 401.

        Args:   target: a path, or what `place` gave; scopes: what a token has to cover.
        Raises: Answered where the registry wants other credentials; Unreachable, Interrupted, Untrusted.
        """
        url = target if isinstance(target, Url) else Url(self.origin, target)
        if url.origin != self.origin:
            raise Untrusted(f"{self.host} sends what is meant for it to {url.origin}")
        with ExitStack() as stack:
            for last in (False, True):
                authorization = self._authorization(scopes)
                signed = {**(headers or {}), **({"Authorization": authorization} if authorization else {})}
                answer = self._send(stack, method, url, signed, body, patience)
                if answer.status != 401:
                    break
                self._refused(answer, scopes, authorization, last=last)
                stack.pop_all().close()
            if answer.status in _REDIRECTS and method in _READS:
                answer = self._followed(stack, method, answer, headers or {}, signed)
            yield answer

    def place(self, answer: Answer) -> Url:
        """Read where an upload goes on. Raises Untrusted where that is not at this registry."""
        url = origins.parse(answer.headers.get("Location", ""), answer.url)
        if url.origin != self.origin:
            raise Untrusted(f"{self.host} sends the upload to {url.origin}, which is not itself")
        return url

    def _find(self) -> Origin:
        """Ask for /v2/ over TLS and, where that may be, plainly."""
        failure: ClientError | None = None
        for scheme in ("https", "http") if self._insecure else ("https",):
            origin = origins.origin_of(scheme, self.host)
            try:
                with self.transport.send("GET", Url(origin, "/v2/"), {}) as answer:
                    self._challenges = challenges.parse(answer.headers.get("WWW-Authenticate", ""))
                    if answer.status not in (200, 401):
                        raise answer.error()
                    return origin
            except (Unreachable, Interrupted) as error:
                failure = error
        raise failure or Unreachable(f"{self.host} does not answer")

    def _authorization(self, scopes: Scopes) -> str | None:
        """Give what this registry wants to see, by its last challenge; None where it wants nothing."""
        given = self._credentials
        if given.registry_token:
            return f"Bearer {given.registry_token}"
        for challenge in self._challenges:
            if challenge.scheme == "bearer":
                return f"Bearer {self.tokens.get(self.origin, challenge.parameters, scopes)}"
            if challenge.scheme == "basic" and given.basic:
                return given.basic
        return None

    def _refused(self, answer: Answer, scopes: Scopes, authorization: str | None, *, last: bool) -> None:
        """Make ready for a second try after a 401. Raises Answered where there is none."""
        found = challenges.parse(answer.headers.get("WWW-Authenticate", ""))
        same = found == self._challenges and (authorization or "").startswith("Basic ")
        if last or same or not found or self._credentials.registry_token:
            raise answer.error()
        if authorization and authorization.startswith("Bearer "):
            self.tokens.forget(scopes, authorization.removeprefix("Bearer "))
        if all(challenge.scheme == "basic" for challenge in found) and not self._credentials.basic:
            raise Answered(401, "UNAUTHORIZED", "no basic auth credentials")
        self._challenges = found

    def _send(
        self,
        stack: ExitStack,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: Body | None,
        patience: float,
    ) -> Answer:
        """Make one request; a read once more where a kept connection turns out to have ended."""
        for tries in (2, 1) if method in _READS else (1,):
            content = body() if body is not None else None
            try:
                return stack.enter_context(self.transport.send(method, url, headers, body=content, patience=patience))
            except Interrupted:
                if tries == 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def _followed(
        self, stack: ExitStack, method: str, answer: Answer, headers: Mapping[str, str], signed: Mapping[str, str]
    ) -> Answer:
        """Follow redirects of a read; once one has left the registry, nothing says who we are. Raises Untrusted."""
        for _ in range(self.limits.redirects):
            url = origins.parse(answer.headers.get("Location", ""), answer.url)
            if answer.url.origin.scheme == "https" and url.origin.scheme == "http":
                raise Untrusted(f"{answer.url.origin} redirects from TLS to plain HTTP, to {url.origin}")
            if url.origin.inward and not self.origin.inward:
                raise Untrusted(f"{answer.url.origin} redirects into this machine, to {url.origin}")
            signed = signed if url.origin == self.origin else headers
            stack.pop_all().close()
            answer = self._send(stack, method, url, signed, None, 0)
            if answer.status not in _REDIRECTS:
                return answer
        raise Untrusted(f"{self.host} redirects more than {self.limits.redirects} times")
