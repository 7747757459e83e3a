"""`/token` over HTTP: GET with Basic or without anything, POST with a password or a refresh token.

Distribution's token specification and its OAuth2 form (RFC 6749, sections 4.3 and 6). A form is read with limits and
never by a multipart parser. Answers are never stored by anybody on the way.
"""

import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

import orjson
from starlette.responses import Response

from registry.accounts.sign_in import Principal
from registry.accounts.tokens import TokenAnswer
from registry.api.bodies import announced_type, read_limited
from registry.api.call import Accounts, Call
from registry.edge.authorization import Basic, MalformedAuthorization, parse_authorization, raw_authorization
from registry.edge.callers import origin_of
from registry.oci.errors import ErrorCode, RegistryError

FORM_BYTES = 64 * 2**10
FORM_FIELDS = 100
FORM_TYPE = "application/x-www-form-urlencoded"

PRIVATE = {"cache-control": "no-store", "pragma": "no-cache"}

Fields = Mapping[str, list[str]]


async def get(call: Call) -> Response:
    """Give a token to whoever signs in with Basic, or an anonymous one (GET)."""
    accounts = call.accounts
    fields = _fields(call.scope["query_string"], ErrorCode.URI_TOO_LONG)
    try:
        principal = await _signed_in(call, accounts)
        offline = _one(fields, "offline_token").lower() == "true"
        return _answer(await _issue(call, accounts, principal, fields, offline=offline), oauth=False)
    except RegistryError as error:
        raise _explained(call, error, "invalid_client") from None


async def post(call: Call) -> Response:
    """Give a token for a password or a refresh token (POST)."""
    accounts = call.accounts
    if announced_type(call.request) != FORM_TYPE:
        raise _explained(
            call, RegistryError(ErrorCode.REQUEST_INVALID, f"the body has to be {FORM_TYPE}"), "invalid_request"
        )
    fields = _fields(await read_limited(call.request, FORM_BYTES, ErrorCode.BODY_TOO_LARGE), ErrorCode.BODY_TOO_LARGE)
    try:
        principal = await _granted(call, accounts, fields)
        offline = _one(fields, "access_type") == "offline"
        return _answer(await _issue(call, accounts, principal, fields, offline=offline), oauth=True)
    except RegistryError as error:
        raise _explained(call, error, "invalid_grant") from None


async def _signed_in(call: Call, accounts: Accounts) -> Principal | None:
    try:
        value = raw_authorization(call.scope)
        given = parse_authorization(value) if value is not None else None
    except MalformedAuthorization as error:
        raise RegistryError(ErrorCode.UNAUTHORIZED, str(error)) from None
    if given is None or (isinstance(given, Basic) and given.empty):
        return None
    if not isinstance(given, Basic):
        raise RegistryError(ErrorCode.UNAUTHORIZED, "the token endpoint takes Basic credentials, not a token")
    return await accounts.doorman.sign_in(given.name, given.secret, origin_of(call.scope))


async def _granted(call: Call, accounts: Accounts, fields: Fields) -> Principal:
    grant = _one(fields, "grant_type")
    if grant == "password":
        name, secret = _one(fields, "username"), _one(fields, "password")
        if not name or not secret:
            raise _invalid("grant_type=password needs username and password")
        return await accounts.doorman.sign_in(name, secret, origin_of(call.scope))
    if grant == "refresh_token":
        secret = _one(fields, "refresh_token")
        if not secret:
            raise _invalid("grant_type=refresh_token needs refresh_token")
        service = _one(fields, "service") or accounts.tokens.service
        return await accounts.doorman.refresh(secret, service, origin_of(call.scope))
    error = _invalid("grant_type has to be password or refresh_token")
    error.beside["error"] = "unsupported_grant_type"
    raise error


async def _issue(
    call: Call, accounts: Accounts, principal: Principal | None, fields: Fields, *, offline: bool
) -> TokenAnswer:
    return await call.services.bridge.sql.call(
        accounts.tokens.issue, principal, fields.get("scope", []), origin_of(call.scope), offline=offline
    )


def _answer(given: TokenAnswer, *, oauth: bool) -> Response:
    document: dict[str, object] = {
        "token": given.token,
        "access_token": given.token,
        "expires_in": given.expires_in,
        "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(given.issued_at)),
    }
    if given.refresh_token is not None:
        document["refresh_token"] = given.refresh_token
    if oauth:
        document |= {"token_type": "Bearer", "scope": " ".join(str(scope) for scope in given.scopes)}
    return Response(orjson.dumps(document), headers=PRIVATE, media_type="application/json")


def _fields(text: bytes, too_many: ErrorCode) -> Fields:
    """Read a form or a query. Raises REQUEST_INVALID, or `too_many`."""
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS)
    except UnicodeDecodeError:
        raise _invalid("the fields are not percent-encoded UTF-8") from None
    except ValueError:
        raise RegistryError(too_many, f"at most {FORM_FIELDS} fields are read") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _one(fields: Fields, name: str) -> str:
    """Give a field that may stand there once; empty where it does not. Raises REQUEST_INVALID."""
    values = fields.get(name, [""])
    if len(values) > 1:
        raise _invalid(f"the field {name} may stand there once only")
    return values[0]


def _invalid(message: str) -> RegistryError:
    error = RegistryError(ErrorCode.REQUEST_INVALID, message)
    error.beside["error"] = "invalid_request"
    return error


def _explained(call: Call, error: RegistryError, refused: str) -> RegistryError:
    """Add what OAuth2 clients read (RFC 6749, section 5.2), and on a 401 the challenge that HTTP wants."""
    status = error.code.status
    error.beside.setdefault("error", refused if status == 401 else "invalid_request")
    error.beside["error_description"] = error.message
    error.headers |= PRIVATE
    if status == 401:
        error.headers["www-authenticate"] = f'Basic realm="{call.accounts.tokens.service}"'
    return error
