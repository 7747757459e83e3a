"""Tokens: what is issued is read; whatever else is shown grants what it may, and raises InvalidToken only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.keys import PublicKey, SigningKey
from auth.policy import Kind
from auth.scopes import CATALOG, MAX_SCOPES, SEARCH, Scope, repository_scope
from auth.tokens import LEEWAY, LIFETIME_LIMIT, TOKEN_LIMIT, Claims, InvalidToken, Issuer, TokenTooLarge, Verifier
from tests.auth.forgeries import Forgery, corpus
from tests.auth.forging import Forge

NOW = 1_800_000_000
ISSUER = "https://moorage.example.org"
AUDIENCE = "registry.example.org"
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
KEYS = {KEY.kid: KEY.public}
FORGE = Forge(KEY, OTHER, NOW, ISSUER, AUDIENCE)
CORPUS = corpus(KEY, OTHER, NOW, ISSUER, AUDIENCE)

issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, lifetime=300)
verifier = Verifier(issuer=ISSUER, audience=AUDIENCE)


def issue(*scopes: Scope, now: int = NOW, key: SigningKey = KEY, credential: str | None = None) -> str:
    return issuer.issue(
        key, subject="ada", kind=Kind.USER, credential=credential, scopes=scopes, now=now, token_id="0123456789abcdef"
    )


def pairs(claims: Claims) -> set[tuple[str, str]]:
    return {(name, action) for name, actions in claims.access.items() for action in actions}


def test_what_is_issued_is_read() -> None:
    token = issue(repository_scope("team/app", "push", "pull"), repository_scope("b/c", "delete"), credential="c1")
    assert verifier.verify(token, KEYS, NOW) == Claims(
        subject="ada",
        kind=Kind.USER,
        credential="c1",
        access={"team/app": frozenset({"pull", "push"}), "b/c": frozenset({"delete"})},
        registry=frozenset(),
        expires_at=NOW + 300,
        token_id="0123456789abcdef",
    )


def test_nobody_may_hold_a_token() -> None:
    token = issuer.issue(KEY, subject="", kind=Kind.ANONYMOUS, credential=None, scopes=(), now=NOW, token_id="t")
    claims = verifier.verify(token, KEYS, NOW)
    assert (claims.subject, claims.kind, claims.credential, claims.access) == ("", Kind.ANONYMOUS, None, {})


def test_access_to_the_registry() -> None:
    assert verifier.verify(issue(CATALOG), KEYS, NOW).registry == {"*"}
    assert verifier.verify(issue(CATALOG, SEARCH), KEYS, NOW).registry == {"*", "search"}


@given(
    st.lists(
        st.builds(
            lambda name, actions: repository_scope(name, *actions),
            st.from_regex(r"[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,2}", fullmatch=True),
            st.sets(st.sampled_from(["pull", "push", "delete"]), min_size=1),
        ),
        max_size=MAX_SCOPES,
        unique_by=lambda scope: scope.name,
    ),
    st.integers(-LEEWAY, 300 + LEEWAY - 1),
)
def test_any_scopes_are_read_for_as_long_as_they_are_good(scopes: list[Scope], age: int) -> None:
    claims = verifier.verify(issue(*scopes), KEYS, NOW + age)
    assert pairs(claims) == {(scope.name, action) for scope in scopes for action in scope.actions}


@pytest.mark.parametrize("age", [-LEEWAY - 1, 300 + LEEWAY])
def test_a_second_earlier_or_later_it_is_refused(age: int) -> None:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(issue(), KEYS, NOW + age)
    assert caught.value.expired is (age > 0)


def test_the_leeway_is_a_setting() -> None:
    strict = Verifier(issuer=ISSUER, audience=AUDIENCE, leeway=0)
    assert strict.verify(issue(), KEYS, NOW + 299).subject == "ada"
    with pytest.raises(InvalidToken):
        strict.verify(issue(), KEYS, NOW + 300)


def test_expired_is_said_only_of_what_was_good() -> None:
    for token in (
        FORGE.claiming(exp=NOW - 999, iat=NOW - 1200, aud="another"),
        FORGE.claiming(exp=NOW - 999, iat=NOW - 1200, access=7),
        issue(now=NOW - 9999, key=OTHER),
    ):
        with pytest.raises(InvalidToken) as caught:
            verifier.verify(token, KEYS, NOW)
        assert not caught.value.expired


def test_a_key_that_is_taken_away_takes_its_tokens_along() -> None:
    token = issue()
    for others in ({}, {OTHER.kid: OTHER.public}, {KEY.kid: OTHER.public}):
        with pytest.raises(InvalidToken):
            verifier.verify(token, others, NOW)
    assert verifier.verify(token, {OTHER.kid: OTHER.public} | KEYS, NOW).subject == "ada"


def test_a_token_that_would_be_refused_for_its_size_is_not_issued() -> None:
    longest = [repository_scope(f"team/{n:02}".ljust(255, "a"), "pull", "push") for n in range(MAX_SCOPES)]
    with pytest.raises(TokenTooLarge, match="32 scopes"):
        issue(*longest)
    short = [repository_scope(f"team/{n:02}".ljust(80, "a"), "pull", "push") for n in range(MAX_SCOPES)]
    token = issue(*short)
    assert 6000 < len(token) <= TOKEN_LIMIT
    assert len(verifier.verify(token, KEYS, NOW).access) == MAX_SCOPES


@pytest.mark.parametrize("lifetime", [-1, 0, LIFETIME_LIMIT + 1])
def test_lifetimes_that_would_be_refused_are_no_setting(lifetime: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Issuer(issuer=ISSUER, audience=AUDIENCE, lifetime=lifetime)


def test_the_corpus_is_large_and_each_row_has_a_name() -> None:
    names = [row.name for row in CORPUS]
    assert len(set(names)) == len(names) >= 150
    assert all(row.refused or row.token for row in CORPUS)
    assert not any(row.may for row in CORPUS if row.refused)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in CORPUS])
def test_a_forgery_grants_what_it_may_and_no_more(row: Forgery) -> None:
    try:
        claims = verifier.verify(row.token, KEYS, NOW)
    except InvalidToken as refusal:
        assert row.refused, refusal
        assert all(part not in str(refusal) for part in row.token.split(".") if len(part) > 10)
    else:
        assert not row.refused
        assert pairs(claims) == row.may
        assert not claims.registry


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in CORPUS if not row.refused])
def test_nothing_of_the_corpus_is_good_without_its_key(row: Forgery) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(row.token, {OTHER.kid: OTHER.public}, NOW)


def read(token: str, keys: dict[str, PublicKey]) -> set[tuple[str, str]]:
    """What a token grants; nothing if it is refused."""
    try:
        return pairs(verifier.verify(token, keys, NOW))
    except InvalidToken:
        return set()


@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]{86}", fullmatch=True))
def test_any_text_is_refused(text: str) -> None:
    assert not read(text, KEYS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "zip", "cty"]), JSON)
def test_any_change_to_the_header_is_refused(name: str, value: object) -> None:
    if FORGE.header().get(name) != value:
        assert not read(FORGE.headed(**{name: value}), KEYS)


@given(st.sampled_from(["iss", "aud", "sub", "kind", "jti", "iat", "nbf", "exp", "cid"]), JSON)
def test_any_change_to_a_claim_grants_no_more(name: str, value: object) -> None:
    assert read(FORGE.claiming(**{name: value}), KEYS) <= {("team/app", "pull"), ("team/app", "push")}


@given(JSON)
def test_any_access_is_read_or_refused(value: object) -> None:
    for token in (FORGE.claiming(access=value), FORGE.granting({"type": "repository", "name": "a", "actions": value})):
        assert {action for _, action in read(token, KEYS)} <= {"pull", "push", "delete"}


@given(st.data())
def test_no_letter_of_a_token_can_be_changed(data: st.DataObject) -> None:
    token = issue(repository_scope("team/app", "pull"))
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != token[place]))
    assert not read(token[:place] + letter + token[place + 1 :], KEYS)
